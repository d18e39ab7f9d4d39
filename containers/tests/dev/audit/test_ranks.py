from __future__ import annotations

import math

import numpy as np
import pytest

from dev.audit.ranks import detection, interval_over_subjects, rank_correlation, ranks


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    assert list(ranks([3.0, 1.0, 3.0, 2.0])) == [3.5, 1, 3.5, 2]


def test_the_correlation_is_that_of_spearman() -> None:
    # By the formula for distinct ranks: 1 - 6 * sum(d^2) / (n * (n^2 - 1)), with d = 0, 1, 1, 1, 1.
    assert rank_correlation([1, 2, 3, 4, 5], [10, 30, 20, 50, 40]) == pytest.approx(1 - 6 * 4 / 120)
    assert rank_correlation([1, 2, 3], [1, 8, 27]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [0, -1, -2]) == pytest.approx(-1)
    assert math.isnan(rank_correlation([1, 2, 3], [5, 5, 5]))


def test_detection_counts_pairs() -> None:
    # Of six pairs of a clean and a damaged image, four are in order and one is a tie.
    assert detection([3.0, 2.0], [1.0, 2.0, 2.5]) == pytest.approx((4 + 0.5) / 6)
    assert detection([1.0, 1.0], [0.0]) == 1
    assert detection([1.0], [1.0]) == 0.5


def test_the_interval_draws_whole_subjects() -> None:
    # Three subjects whose images all say the same: resampled means are 0, 1/3, 2/3 and 1.
    values = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    seen: set[float] = set()

    def mean(where: np.ndarray) -> float:
        seen.add(round(float(values[where].mean()), 6))
        return float(values[where].mean())

    low, high = interval_over_subjects([0, 0, 1, 1, 2, 2], mean)
    assert seen == {0, round(1 / 3, 6), round(2 / 3, 6), 1}
    assert (low, high) == (0, 1)
