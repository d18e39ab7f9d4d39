"""Intervals over prompts and images, and the comparison of two models, against sets whose answer is known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from proxytune.metrics.intervals import EXACT_UP_TO, compare, summarize

VALUES = list(np.random.default_rng(1).normal(0.6, 0.1, 80))


def test_the_interval_is_reproducible_and_contains_the_mean() -> None:
    first = summarize(VALUES, 7)
    assert summarize(VALUES, 7) == first
    assert summarize(VALUES, 8) != first
    assert first.low is not None
    assert first.high is not None
    assert first.low < first.mean < first.high
    # The interval of normal theory; for 80 normally distributed values the bootstrap must be close to it.
    half = 1.96 * np.std(VALUES) / np.sqrt(len(VALUES))
    assert first.high - first.low == pytest.approx(2 * half, rel=0.1)


def test_the_order_of_images_and_of_prompts_changes_nothing() -> None:
    groups = [f"prompt {number % 9}" for number in range(len(VALUES))]
    order = np.random.default_rng(2).permutation(len(VALUES))
    shuffled = summarize([VALUES[at] for at in order], 5, [groups[at] for at in order])
    assert shuffled == summarize(VALUES, 5, groups)


def test_a_single_image_has_no_interval() -> None:
    score = summarize([0.3], 0, ["a prompt"])
    assert (score.low, score.mean, score.high) == (None, 0.3, None)
    assert not score.has_interval


def test_the_interval_of_equal_values_has_no_width() -> None:
    score = summarize([0.1] * 7, 0, list("aabbccc"))
    assert (score.low, score.mean, score.high) == (0.1, 0.1, 0.1)


def test_images_of_one_prompt_are_resampled_alone() -> None:
    assert summarize(VALUES, 3, ["the same"] * len(VALUES)) == summarize(VALUES, 3)


def test_the_resampled_values_are_those_of_the_drawn_prompts() -> None:
    # Two prompts without any variance: a resample is one of the means 0, 1/4 (3 of 12), ... by hand:
    # both the first (mean 0), both the second (1), or one of each (3 zeros and 1 one: 1/4).
    score = summarize([0.0, 0.0, 0.0, 1.0], 0, ["a", "a", "a", "b"])
    assert (score.mean, score.low, score.high) == (0.25, 0.0, 1.0)
    # Alone, four ones in four draws are rare (1 in 256), so the interval of independent images ends below.
    independent = summarize([0.0, 0.0, 0.0, 1.0], 0)
    assert independent.high is not None
    assert independent.high < 1


def coverage(grouped: bool) -> float:
    """Share of intervals that contain the true mean, where prompts differ more than the images of one."""
    rng = np.random.default_rng(4)
    prompts = [number // 4 for number in range(100)]
    hits = 0
    for seed in range(60):
        values = 0.5 + np.repeat(rng.normal(0, 0.1, 25), 4) + rng.normal(0, 0.05, 100)
        score = summarize(list(values), seed, prompts if grouped else None)
        assert score.low is not None
        assert score.high is not None
        hits += score.low <= 0.5 <= score.high
    return hits / 60


def test_nineteen_of_twenty_intervals_contain_the_truth() -> None:
    assert coverage(grouped=True) >= 0.9
    # As if images of one prompt were independent, the interval would be too narrow.
    assert coverage(grouped=False) <= 0.8


def enumerated(differences: list[float]) -> float:
    """Compute the p of the sign-flip test in the plainest way."""
    observed = abs(sum(differences))
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    return sum(one >= observed - 1e-12 for one in sums) / len(sums)


def test_the_significance_is_that_of_all_assignments_of_signs() -> None:
    differences = [0.3, 0.1, -0.05, 0.2, 0.15, -0.02, 0.08]
    found = compare([(0.4, 0.4 + one) for one in differences], 0)
    assert found is not None
    assert found.p == pytest.approx(enumerated(differences), abs=1e-6)
    assert found.mean == pytest.approx(np.mean(differences), abs=1e-6)
    assert found.pairs == 7
    assert found.low < found.mean < found.high


def test_five_pairs_can_not_be_significant() -> None:
    found = compare([(0.1, 0.9)] * 5, 0)
    assert found is not None
    assert (found.mean, found.p) == (0.8, 2 / 2**5)


def test_the_images_of_a_prompt_count_as_one_pair() -> None:
    pairs = [(0.1, 0.9)] * 6
    by_prompt = compare(pairs, 0, ["a", "a", "a", "b", "b", "b"])
    alone = compare(pairs, 0)
    assert by_prompt is not None
    assert alone is not None
    assert (by_prompt.pairs, by_prompt.p) == (2, 0.5)
    assert (alone.pairs, alone.p) == (6, 2 / 2**6)


def test_many_pairs_are_tested_by_random_signs() -> None:
    count = EXACT_UP_TO + 8
    none = compare([(0.5, 0.5 + (-1) ** one * 0.1) for one in range(count)], 1)
    clear = compare([(0.5, 0.6)] * count, 1)
    assert none is not None
    assert clear is not None
    assert none.p == 1
    assert 0 < clear.p < 0.001
    # Close to the exact value: 2 ** 20 assignments, computed once by `enumerated`.
    values = [0.02 * (one - 6) for one in range(count)]
    middle = compare([(0.0, value) for value in values], 1)
    assert middle is not None
    assert middle.p == pytest.approx(0.0189, abs=0.01)


def test_fewer_than_two_pairs_show_nothing() -> None:
    assert compare([], 0) is None
    assert compare([(0.1, 0.9)], 0, ["a"]) is None
