"""Cosine similarities of pictures to the references and to their prompts, and intervals of any measures.

CLIP-I and DINO of a picture: mean of its cosines to all references. CLIP-T of a picture: its cosine to the
prompt without the token word, without logit scale and without CLIPScore's factor 2.5. A photo is compared
with the other photos only: with itself it would score 1. Means and intervals do not depend on the order of
the pictures.
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
    """Mean cosine of each picture (N, D) to all references (R, D), R at least 1: N numbers."""
    return [_clean(math.fsum(cosines) / len(cosines)) for cosines in pictures @ references.T]


def among_themselves(references: Vectors) -> list[float]:
    """Mean cosine of each reference (R, D) to all the others, R at least 2: R numbers."""
    cosines = references @ references.T
    others = ~np.eye(len(references), dtype=bool)
    return [_clean(math.fsum(row[keep]) / int(keep.sum())) for row, keep in zip(cosines, others, strict=True)]


def to_prompts(pictures: Vectors, prompts: Vectors) -> list[float]:
    """Cosine of each picture (N, D) to its own prompt (N, D): N numbers."""
    return [_clean(float(picture @ prompt)) for picture, prompt in zip(pictures, prompts, strict=True)]


def summarise(values: Sequence[float], seed: int) -> Score:
    """Mean and 95 % percentile bootstrap interval over pictures.

    Pictures of one prompt are treated as independent; with few prompts the true interval is somewhat wider.

    Args:
        values: at least one.
        seed: the same seed and the same values, in any order, give the same interval.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    mean = math.fsum(ordered) / len(ordered)
    draws = np.random.default_rng(seed).integers(0, len(ordered), size=(RESAMPLES, len(ordered)))
    low, high = np.quantile(ordered[draws].mean(axis=1), [0.025, 0.975])
    # Rounding must not push the mean out of its own interval when all values are equal.
    return Score(_rounded(mean), _rounded(min(low, mean)), _rounded(max(high, mean)))


def retained(student: float, teacher: float) -> float | None:
    """Share of the teacher's score that the student keeps; None where the teacher has (almost) none."""
    return student / teacher if teacher > 0.05 else None


def evenly(count: int, most: int) -> list[int]:
    """At most `most` positions out of `count`, evenly spread, beginning with the first."""
    if count <= most:
        return list(range(count))
    return [position * count // most for position in range(most)]


def _clean(cosine: float) -> float:
    """A cosine, never beyond 1 by rounding."""
    return _rounded(max(-1.0, min(1.0, float(cosine))))


def _rounded(value: float) -> float:
    """Six decimals: more would only show the order of additions. Never -0.0."""
    return round(float(value), 6) + 0.0
