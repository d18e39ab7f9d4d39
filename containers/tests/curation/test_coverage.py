"""The coverage of rounds, on vectors whose neighbours are known."""

from __future__ import annotations

import numpy as np
import pytest

from proxytune.curation.coverage import measure_coverage

SETTINGS = {"reach": 0.5, "newShare": 0.1, "drift": 0.05}


def unit(angles: list[float]) -> np.ndarray:
    """Unit vectors at angles in degrees."""
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def coverage(vectors: np.ndarray, ends: list[int], usable: list[bool] | None = None, **changes: float):
    everything = [True] * len(vectors)
    return measure_coverage(
        vectors, usable or everything, usable or everything, ends, {**SETTINGS, **changes}
    )


def test_a_round_that_only_repeats_adds_nothing() -> None:
    first = unit([0, 20, 40, 60] * 2)
    result = coverage(np.concatenate([first, first]), [8, 16])
    assert [entry["new_share"] for entry in result.rounds] == [0, 0]
    assert (result.rounds[1]["mean_shift"], result.rounds[1]["spread_change"]) == (0, 0)
    assert result.satisfied


@pytest.mark.parametrize("reach", [0.0, 0.4, 1.0])
def test_equal_images_are_not_new(reach: float) -> None:
    # In float32, as encoders compute: the cosine of such a vector with itself is not quite 1.
    many = np.random.default_rng(0).normal(size=(1, 384)).astype(np.float32)
    one = many / np.linalg.norm(many)
    result = coverage(np.repeat(one, 16, axis=0), [8, 16], reach=reach)
    assert [entry["new_share"] for entry in result.rounds] == [0, 0]
    assert result.satisfied


def test_a_round_of_different_images_is_entirely_new() -> None:
    result = coverage(np.concatenate([unit([0, 20, 40, 60] * 2), unit([180, 200, 220, 240] * 2)]), [8, 16])
    assert result.rounds[1]["new_share"] == 1
    # From about 30 to about 120 degrees: about as far as the images lie from their mean.
    assert result.rounds[1]["mean_shift"] > 0.5
    assert result.rounds[1]["spread"] > 3 * result.rounds[0]["spread"]
    assert not result.satisfied


def test_the_new_share_counts_the_images_beyond_reach() -> None:
    """Two degrees are near and ninety are far, relative to eight images spread over 60 degrees."""
    late = unit([2, 22, 42, 150])
    result = coverage(np.concatenate([unit([0, 20, 40, 60] * 2), late]), [8, 12])
    assert result.rounds[1]["new_share"] == 0.25
    assert result.rounds[1] | {"round": 2, "drawn": 12, "kept": 12} == result.rounds[1]


def test_the_rounds_go_on_while_the_mean_shifts_although_nothing_is_new() -> None:
    """All of the second round lies near one earlier image: nothing is new, but the mean shifts."""
    result = coverage(np.concatenate([unit([0, 20, 40, 60] * 2), unit([60] * 8)]), [8, 16])
    assert result.rounds[1]["new_share"] == 0
    assert result.rounds[1]["mean_shift"] > SETTINGS["drift"]
    assert not result.satisfied


def test_the_first_round_compares_its_halves() -> None:
    assert coverage(unit([0, 1, 0, 1]), [4]).rounds[0]["new_share"] == 0
    assert coverage(unit([0, 1, 90, 91]), [4]).rounds[0]["new_share"] == 1


def test_unusable_images_neither_cover_nor_count() -> None:
    vectors = np.concatenate([unit([0, 20, 40, 60]), unit([180, 181]), unit([180, 20])])
    usable = [True] * 4 + [False] * 2 + [True] * 2
    result = coverage(vectors, [6, 8], usable)
    assert result.rounds[1]["new_share"] == 0.5
    assert [entry["kept"] for entry in result.rounds] == [4, 6]


def test_distances_are_relative_to_the_first_round() -> None:
    """The same second round is new or not depending on how much the images of the first one differ."""
    late = unit([10, 12])
    wide = coverage(np.concatenate([unit([0, 90, 0, 90]), late]), [4, 6])
    narrow = coverage(np.concatenate([unit([0, 2, 0, 2]), late]), [4, 6])
    assert (wide.rounds[1]["new_share"], narrow.rounds[1]["new_share"]) == (0, 1)
    assert narrow.reach < wide.reach
    assert wide.reach == pytest.approx(0.5 * 0.5)


def test_a_round_without_usable_images_is_not_an_error() -> None:
    result = coverage(unit([0, 20, 40, 60]), [2, 4], [False] * 4)
    assert [entry["kept"] for entry in result.rounds] == [0, 0]
    assert not result.satisfied
