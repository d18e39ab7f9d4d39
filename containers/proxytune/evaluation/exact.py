"""The exact measures: what a picture shows against the truth about its subject.

Nobody knows the truth about a photographed subject. A drawn one's stands in its request (`truth`), and then
colours, pattern, outline, category and context are read back from the pixels, without an encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

from PIL import Image

from proxytune.contract.types.plan import Plan
from proxytune.metrics.scores import summarise

if TYPE_CHECKING:
    # Only a run that needs the drawn domain loads it.
    from proxytune.drawn_world.ground_truth.measures import Exact

EXACT = ("palette", "shape", "pattern", "category", "context")
"""The measures, in the order of metrics.json and metrics.csv."""

Judge: TypeAlias = "Callable[[Sequence[Image.Image], Sequence[str | None]], Sequence[Exact | None]]"
"""From pictures and their prompts (None for a photo) to their measures."""


def judge_of(plan: Plan) -> Judge:
    """The judge of a run: one that knows the truth where the request tells it, else one that says nothing.

    Args:
        plan: of the run.

    Raises:
        ProxytuneError: RequestInvalid when the truth is about nothing that could be measured.
    """
    truth = plan["request"].get("truth")
    if truth is None:
        return lambda pictures, prompts: [None] * len(pictures)
    from proxytune.drawn_world.ground_truth.scorer import GroundTruthScorer

    return GroundTruthScorer(plan["category"], truth)


def exact_row(measures: Sequence[Exact], seed: int) -> dict[str, Any]:
    """Means over pictures; what is right or wrong becomes the share of pictures that are right.

    Args:
        measures: of at least one picture.
        seed: of the bootstrap.

    Returns:
        palette, shape, pattern, category and context, each {mean, low, high}; context None where no prompt
        names one.
    """

    def mean(name: str) -> dict[str, float] | None:
        values = [getattr(one, name) for one in measures if getattr(one, name) is not None]
        return asdict(summarise([float(value) for value in values], seed)) if values else None

    return {name: mean(name) for name in EXACT}
