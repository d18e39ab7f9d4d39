"""Rank statistics: how well a measure orders images as the truth does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 500
"""Bootstrap resamples of subjects; the interval's ends then vary by about 3 % of its width between seeds."""


def ranks(values: npt.ArrayLike) -> Floats:
    """Ranks from 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(
        np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True
    )
    last = np.cumsum(counts)
    means: Floats = (last - (counts - 1) / 2)[inverse]
    return means


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Spearman's rank correlation; NaN where one side has equal values only."""
    one, other = ranks(first), ranks(second)
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / norm if norm > 0 else float("nan")


def detection(clean: npt.ArrayLike, damaged: npt.ArrayLike) -> float:
    """How often a clean image scores above a damaged one, ties half (the area under the ROC curve)."""
    good, bad = np.asarray(clean, dtype=np.float64), np.asarray(damaged, dtype=np.float64)
    places = ranks(np.concatenate([good, bad]))[: len(good)]
    return float((places.sum() - len(good) * (len(good) + 1) / 2) / (len(good) * len(bad)))


def interval_over_subjects(
    subjects: Sequence[int], statistic: Callable[[npt.NDArray[np.intp]], float], seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of a statistic, resampling whole subjects.

    Args:
        subjects: the number of its subject for each image.
        statistic: from positions of images (repeated as drawn) to a number.
        seed: of the resamples.
    """
    of = np.asarray(subjects)
    members = [np.flatnonzero(of == subject) for subject in np.unique(of)]
    rng = np.random.default_rng(seed)
    values = [
        statistic(np.concatenate([members[one] for one in rng.integers(0, len(members), len(members))]))
        for _ in range(RESAMPLES)
    ]
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)
