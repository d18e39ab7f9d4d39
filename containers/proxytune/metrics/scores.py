"""Cosine similarities of images to the references and to their prompts, and confidence intervals.

CLIP-I and DINO of an image: the mean of its cosines to all references. CLIP-T of an image: its cosine to the
prompt without the token word, without logit scale and without CLIPScore's factor 2.5. A photo is compared
with the other photos only, as it would score 1 with itself. Means and intervals do not depend on the order of
the images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from proxytune.metrics.encoders import Vectors

RESAMPLES = 2000
"""Bootstrap resamples; the ends of a 95 % interval then vary by about 1 % of its width between seeds."""


@dataclass(frozen=True)
class Score:
    """A mean and the ends of its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


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


def summarize(values: Sequence[float], seed: int) -> Score:
    """Mean and 95 % percentile bootstrap interval over images.

    Images of one prompt are treated as independent; with few prompts the true interval is somewhat wider.

    Args:
        values: at least one.
        seed: the same seed and the same values, in any order, give the same interval.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    mean = math.fsum(ordered) / len(ordered)
    resamples = np.random.default_rng(seed).integers(0, len(ordered), size=(RESAMPLES, len(ordered)))
    low, high = np.quantile(ordered[resamples].mean(axis=1), [0.025, 0.975])
    # Rounding must not push the mean out of its own interval when all values are equal.
    return Score(_rounded(mean), _rounded(min(low, mean)), _rounded(max(high, mean)))


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
