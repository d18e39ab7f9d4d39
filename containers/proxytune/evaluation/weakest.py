"""The weakest point of a model: the prompt with the most defects, and the defect."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxytune.evaluation.pictures import ScoredPicture

if TYPE_CHECKING:
    # Only a run that needs the drawn domain loads it.
    from proxytune.drawn_world.ground_truth.measures import Exact

OUTLINE = 0.85
"""Least overlap of a right outline with the true one; photos of a drawn subject have 0.996."""
PALETTE = 10.0
"""Greatest mean CIEDE2000 of right colours: about that of a hue shifted by 20 degrees."""

# What an image can lose, most telling first. An object that is not found has neither pattern nor outline.
_LOSSES: Mapping[str, Callable[[Exact], bool]] = {
    "outline": lambda exact: exact.shape < OUTLINE,
    "colours": lambda exact: exact.palette > PALETTE,
    "pattern": lambda exact: not exact.pattern,
    "place": lambda exact: exact.context is False,
}


@dataclass(frozen=True)
class WeakPoint:
    """The weakest prompt of a model.

    Attributes:
        prompt: without the token word.
        likeness: mean similarity of its images to the photos.
        images: their number.
        lost: outline, colours, pattern or place, where the ground truth shows one of them lost; else None.
        count: images that lost it; where `lost` is None, images below the limit.
    """

    prompt: str
    likeness: float
    images: int
    lost: str | None
    count: int


def weakest_point(
    images: Sequence[ScoredPicture], likeness: Callable[[ScoredPicture], float], limit: float
) -> WeakPoint | None:
    """Find the weakest prompt of a model: the most losses, then the least similarity to the photos.

    Args:
        images: of one model; in any order.
        likeness: similarity of an image to the photos.
        limit: similarity from which on an image resembles the photos.

    Returns:
        None without images.
    """
    by_prompt: dict[str, list[ScoredPicture]] = {}
    for scored in images:
        by_prompt.setdefault(scored.picture.plain or scored.picture.prompt or "", []).append(scored)
    points = [_point(prompt, by_prompt[prompt], likeness, limit) for prompt in sorted(by_prompt)]
    return min(points, key=lambda point: (-point.count / point.images, point.likeness), default=None)


def _point(
    prompt: str, images: Sequence[ScoredPicture], likeness: Callable[[ScoredPicture], float], limit: float
) -> WeakPoint:
    values = [likeness(scored) for scored in images]
    mean = math.fsum(values) / len(values)
    exact = [scored.exact for scored in images if scored.exact is not None]
    if not exact:
        return WeakPoint(prompt, mean, len(images), None, sum(value < limit for value in values))
    counts = {name: sum(lost(one) for one in exact) for name, lost in _LOSSES.items()}
    # The first of equal ones is the most telling.
    most = max(counts, key=lambda name: counts[name])
    return WeakPoint(prompt, mean, len(images), most if counts[most] else None, counts[most])
