"""Cosine similarities of images to the references, to their prompts and to each other.

CLIP-I and DINO of an image: the mean of its cosines to all references. CLIP-T of an image: its cosine to the
prompt without the token word, without logit scale and without CLIPScore's factor 2.5. A photo is compared
with the other photos only, as it would score 1 with itself. Scores do not depend on the order of the
images.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from proxytune.metrics.encoders import Vectors


def to_references(pictures: Vectors, references: Vectors) -> list[float]:
    """Mean cosine of each image (N, D) to all references (R, D), R at least 1: N numbers."""
    return [_clean(math.fsum(cosines) / len(cosines)) for cosines in pictures @ references.T]


def among_themselves(references: Vectors) -> list[float]:
    """Mean cosine of each reference (R, D) to all the others, R at least 2: R numbers."""
    cosines = references @ references.T
    others = ~np.eye(len(references), dtype=bool)
    return [_clean(math.fsum(row[keep]) / int(keep.sum())) for row, keep in zip(cosines, others, strict=True)]


def to_prompts(pictures: Vectors, prompts: Vectors) -> list[float]:
    """Cosine of each image (N, D) to its own prompt (N, D): N numbers."""
    return [_clean(float(picture @ prompt)) for picture, prompt in zip(pictures, prompts, strict=True)]


def nearest(pictures: Vectors, references: Vectors) -> list[tuple[int, float]]:
    """The position and the cosine of the reference (R, D) that each image (N, D) is nearest to."""
    cosines = pictures @ references.T
    return [(int(row.argmax()), _clean(float(row.max()))) for row in cosines]


def nearest_other(references: Vectors) -> list[tuple[int, float]]:
    """The same for each reference (R, D) among all the others, R at least 2."""
    cosines = references @ references.T
    np.fill_diagonal(cosines, -np.inf)
    return [(int(row.argmax()), _clean(float(row.max()))) for row in cosines]


def diversity(pictures: Vectors, groups: Sequence[Hashable]) -> list[float | None]:
    """1 minus the mean cosine of each image (N, D) to the others of its group; None where it is alone."""
    members: dict[Hashable, list[int]] = {}
    for position, group in enumerate(groups):
        members.setdefault(group, []).append(position)
    result: list[float | None] = [None] * len(groups)
    for positions in members.values():
        if len(positions) > 1:
            for position, mean in zip(positions, among_themselves(pictures[positions]), strict=True):
                result[position] = _rounded(1 - mean)
    return result


def retained(student: float, teacher: float) -> float | None:
    """Share of the teacher's score that the student retains; None where the teacher's is close to zero."""
    return student / teacher if teacher > 0.05 else None


def evenly(count: int, limit: int) -> list[int]:
    """Positions out of `count`, at most `limit` of them, evenly spread and beginning with the first."""
    if count <= limit:
        return list(range(count))
    return [position * count // limit for position in range(limit)]


def _clean(cosine: float) -> float:
    """Clip a cosine to [-1, 1], which rounding may exceed."""
    return _rounded(max(-1.0, min(1.0, float(cosine))))


def _rounded(value: float) -> float:
    """Round to six decimals, as more would only show the order of additions; never -0.0."""
    return round(float(value), 6) + 0.0
