"""Scores pictures against the ground truth of a subject, as its request has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from proxytune.contract.errors import ProxytuneError
from proxytune.drawn_world.appearance import CATEGORIES, PATTERNS, Appearance, Colour
from proxytune.drawn_world.ground_truth.measures import Exact, measure, prompted_context


class GroundTruthScorer:
    """Measures pictures against the ground truth of one subject.

    Args:
        category: the request's.
        truth: the request's field: pattern, body, mark, trim, build, stretch
            (dev.drawn_subjects.export.ground_truth_of).

    Raises:
        ProxytuneError: RequestInvalid when the drawn domain has no such subject.
    """

    def __init__(self, category: str, truth: Mapping[str, Any]) -> None:
        self.appearance = _appearance(category, truth)

    def __call__(self, pictures: Sequence[Image.Image], prompts: Sequence[str | None]) -> list[Exact]:
        """Measure pictures; the context that each should show is the one its prompt names.

        Args:
            pictures: at least one, of any size.
            prompts: of each picture; None for a photo.
        """
        return measure(pictures, self.appearance, [prompted_context(prompt) for prompt in prompts])


def _appearance(category: str, truth: Mapping[str, Any]) -> Appearance:
    if category not in CATEGORIES:
        raise _unknown(f"category '{category}'", CATEGORIES)
    if truth["pattern"] not in PATTERNS:
        raise _unknown(f"pattern '{truth['pattern']}'", PATTERNS)
    body, mark, trim = (_colour(truth[part]) for part in ("body", "mark", "trim"))
    return Appearance(category, truth["pattern"], body, mark, trim, truth["build"], truth["stretch"])


def _colour(levels: Sequence[int]) -> Colour:
    red, green, blue = levels
    return red, green, blue


def _unknown(given: str, known: Sequence[str]) -> ProxytuneError:
    return ProxytuneError(
        "RequestInvalid",
        what="The request's truth is not a subject of the drawn domain, the only one with exact metrics",
        given=given,
        allowed=", ".join(known),
        remedy="leave truth out; only folders of export_miniature_subjects.py have one",
    )
