"""The exact measures: an image compared with the ground truth about its subject.

A photographed subject has no ground truth. That of a drawn one is in its request (`truth`); colours, pattern,
outline, category and context are then read from the pixels, without an encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

from PIL import Image

from proxytune.contract.types.plan import Plan
from proxytune.metrics.intervals import summarize

if TYPE_CHECKING:
    # Only a run that needs the drawn domain loads it.
    from proxytune.drawn_world.ground_truth.measures import Exact

EXACT = ("palette", "shape", "pattern", "category", "context")
"""The measures, in the order of metrics.json and metrics.csv."""

ExactScorer: TypeAlias = "Callable[[Sequence[Image.Image], Sequence[str | None]], Sequence[Exact | None]]"
"""From images and their prompts (None for a photo) to their measures."""


def exact_scorer(plan: Plan) -> ExactScorer:
    """Create the scorer of a run; it returns None for every image when the request has no ground truth.

    Args:
        plan: of the run.

    Raises:
        ProxytuneError: RequestInvalid when the ground truth is of a category that cannot be measured.
    """
    truth = plan["request"].get("truth")
    if truth is None:
        return lambda pictures, prompts: [None] * len(pictures)
    from proxytune.drawn_world.ground_truth.scorer import GroundTruthScorer

    return GroundTruthScorer(plan["category"], truth)


def exact_row(measures: Sequence[Exact], seed: int, groups: Sequence[Hashable]) -> dict[str, Any]:
    """Compute means over images; of yes-or-no measures, the share of images that are right.

    Args:
        measures: of at least one image.
        seed: of the bootstrap.
        groups: of each image, its prompt.

    Returns:
        palette, shape, pattern, category and context, each {mean, low, high}; context is None where no
        prompt names one.
    """

    def mean(name: str) -> dict[str, float | None] | None:
        known = [
            (float(getattr(one, name)), group)
            for one, group in zip(measures, groups, strict=True)
            if getattr(one, name) is not None
        ]
        if not known:
            return None
        values, of = zip(*known, strict=True)
        return asdict(summarize(values, seed, of))

    return {name: mean(name) for name in EXACT}
