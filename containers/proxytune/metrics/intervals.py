"""Means with 95 % intervals, and the difference of two models over the same prompts.

Images of one prompt resemble each other, so they say less than as many images of different prompts. The
bootstrap therefore draws prompts first, and images of each drawn prompt then. Nothing here depends on the
order of images.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
"""Bootstrap resamples; the ends of a 95 % interval then vary by about 1 % of its width between seeds."""
# Numbers that are drawn at once: 32 MB.
BLOCK = 4_000_000
# Up to this many differences, all assignments of signs are tried: 2 ** 12.
EXACT_UP_TO = 12
FLIPS = 20_000
"""Random assignments of signs beyond that; a p of 0.05 then has a standard error of 0.0015."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """A mean and the ends of its 95 % bootstrap interval, which a single image does not have."""

    mean: float
    low: float | None
    high: float | None

    @property
    def has_interval(self) -> bool:
        """False for a single image."""
        return self.low is not None


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences, the ends of its 95 % interval, and its significance.

    Attributes:
        mean, low, high: of second minus first.
        p: two-sided, of a sign-flip test: how often differences this large arise where the two are alike.
            With few pairs it cannot be small: at least 2 / 2 ** pairs.
        pairs: prompts, or images where there is one prompt only.
    """

    mean: float
    low: float
    high: float
    p: float
    pairs: int


def summarize(values: Sequence[float], seed: int, groups: Sequence[Hashable] | None = None) -> Score:
    """Compute a mean and its 95 % percentile bootstrap interval over prompts and images.

    Args:
        values: at least one.
        seed: the same seed and the same values, in any order, give the same interval.
        groups: of each value, its prompt. With one group only, or None, values are drawn alone.
    """
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Score(_rounded(mean), None, None)
    return Score(_rounded(mean), *_interval(mean, _grouped(values, groups), seed))


def compare(
    pairs: Sequence[tuple[float, float]], seed: int, groups: Sequence[Hashable] | None = None
) -> Difference | None:
    """Compare two models by the differences of paired values, second minus first.

    Args:
        pairs: the values of both models for the same prompt and seed.
        seed: of the bootstrap, and of the signs where there are too many to try all.
        groups: of each pair, its prompt. The differences of a prompt count as one, unless it is the only one.

    Returns:
        None for less than two pairs, which show nothing.
    """
    differences = [second - first for first, second in pairs]
    if len(differences) < 2:
        return None
    mean, grouped = math.fsum(differences) / len(differences), _grouped(differences, groups)
    low, high = _interval(mean, grouped, seed)
    units = np.array([group.mean() for group in grouped])
    return Difference(_rounded(mean), low, high, round(_sign_flip_p(units, seed), 6), len(units))


def _grouped(values: Sequence[float], groups: Sequence[Hashable] | None) -> list[Floats]:
    """Values by group in an order of their own; one group falls apart into its values."""
    members: dict[Hashable, list[float]] = {}
    for position, value in enumerate(values):
        members.setdefault(position if groups is None else groups[position], []).append(value)
    lists: list[list[float]] = list(members.values())
    if len(lists) == 1:
        lists = [[value] for value in lists[0]]
    return [np.array(one) for one in sorted(sorted(one) for one in lists)]


def _interval(mean: float, groups: Sequence[Floats], seed: int) -> tuple[float, float]:
    """The ends of the 95 % percentile interval."""
    low, high = np.quantile(_resampled_means(groups, seed), [0.025, 0.975])
    # Rounding must not push the mean out of its own interval when all values are equal.
    return _rounded(min(low, mean)), _rounded(max(high, mean))


def _resampled_means(groups: Sequence[Floats], seed: int) -> Floats:
    """Means of RESAMPLES resamples of as many groups, each of as many values as it has."""
    rng = np.random.default_rng(seed)
    sizes = np.array([len(group) for group in groups])
    table = np.zeros((len(groups), sizes.max()))
    for number, group in enumerate(groups):
        table[number, : len(group)] = group
    means: list[Any] = []
    block = max(1, BLOCK // table.size)
    for begin in range(0, RESAMPLES, block):
        count = min(block, RESAMPLES - begin)
        chosen = rng.integers(0, len(groups), size=(count, len(groups)))
        of = sizes[chosen][..., None]
        places = (rng.random((count, *table.shape)) * of).astype(np.intp)
        drawn = table[chosen[..., None], places] * (np.arange(table.shape[1]) < of)
        means.append(drawn.sum(axis=(1, 2)) / of.sum(axis=(1, 2)))
    return np.concatenate(means)


def _sign_flip_p(differences: Floats, seed: int) -> float:
    """Share of all assignments of signs whose mean is as far from zero as the observed one."""
    observed = abs(differences.sum()) - 1e-12
    if len(differences) <= EXACT_UP_TO:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(differences))))
        return float(np.mean(np.abs(signs @ differences) >= observed))
    rng = np.random.default_rng(seed)
    signs = rng.choice((-1.0, 1.0), size=(FLIPS, len(differences)))
    # The observed signs are one of the assignments, so that p is never zero.
    return float((1 + np.sum(np.abs(signs @ differences) >= observed)) / (1 + FLIPS))


def _rounded(value: float) -> float:
    """Round to six decimals, as more would only show the order of additions; never -0.0."""
    return round(float(value), 6) + 0.0
