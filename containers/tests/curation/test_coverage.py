"""What a round added, on vectors whose neighbours are known."""

from __future__ import annotations

import numpy as np
import pytest

from proxytune.curation.coverage import evidence

ASKED = {"reach": 0.5, "newShare": 0.1, "drift": 0.05}


def unit(angles: list[float]) -> np.ndarray:
    """Unit vectors at angles in degrees."""
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def found(vectors: np.ndarray, ends: list[int], usable: list[bool] | None = None, **changes: float):
    everything = [True] * len(vectors)
    return evidence(vectors, usable or everything, usable or everything, ends, {**ASKED, **changes})


def test_a_round_that_only_repeats_adds_nothing() -> None:
    first = unit([0, 20, 40, 60] * 2)
    result = found(np.concatenate([first, first]), [8, 16])
    assert [entry["new_share"] for entry in result.rounds] == [0, 0]
    assert (result.rounds[1]["moved"], result.rounds[1]["widened"]) == (0, 0)
    assert result.satisfied


@pytest.mark.parametrize("reach", [0.0, 0.4, 1.0])
def test_of_pictures_that_are_all_the_same_none_is_new(reach: float) -> None:
    # As float32 comes from an encoder: the cosine of such a vector with itself is not quite 1.
    many = np.random.default_rng(0).normal(size=(1, 384)).astype(np.float32)
    one = many / np.linalg.norm(many)
    result = found(np.repeat(one, 16, axis=0), [8, 16], reach=reach)
    assert [entry["new_share"] for entry in result.rounds] == [0, 0]
    assert result.satisfied


def test_a_round_of_something_else_adds_all_of_it() -> None:
    result = found(np.concatenate([unit([0, 20, 40, 60] * 2), unit([180, 200, 220, 240] * 2)]), [8, 16])
    assert result.rounds[1]["new_share"] == 1
    # From around 30 to around 120 degrees, by about as much as the pictures lie from their mean.
    assert result.rounds[1]["moved"] > 0.5
    assert result.rounds[1]["spread"] > 3 * result.rounds[0]["spread"]
    assert not result.satisfied


def test_the_share_counts_the_pictures_beyond_reach() -> None:
    """Two degrees apart is near, ninety is far, measured by what eight pictures over 60 degrees differ."""
    late = unit([2, 22, 42, 150])
    result = found(np.concatenate([unit([0, 20, 40, 60] * 2), late]), [8, 12])
    assert result.rounds[1]["new_share"] == 0.25
    assert result.rounds[1] | {"round": 2, "drawn": 12, "kept": 12} == result.rounds[1]


def test_nothing_new_is_not_enough_while_the_mean_still_moves() -> None:
    """All of the second round lies near one earlier picture: nothing is new, but the weight shifts."""
    result = found(np.concatenate([unit([0, 20, 40, 60] * 2), unit([60] * 8)]), [8, 16])
    assert result.rounds[1]["new_share"] == 0
    assert result.rounds[1]["moved"] > ASKED["drift"]
    assert not result.satisfied


def test_the_first_round_compares_its_halves() -> None:
    assert found(unit([0, 1, 0, 1]), [4]).rounds[0]["new_share"] == 0
    assert found(unit([0, 1, 90, 91]), [4]).rounds[0]["new_share"] == 1


def test_pictures_that_are_no_use_neither_cover_nor_count() -> None:
    vectors = np.concatenate([unit([0, 20, 40, 60]), unit([180, 181]), unit([180, 20])])
    usable = [True] * 4 + [False] * 2 + [True] * 2
    result = found(vectors, [6, 8], usable)
    assert result.rounds[1]["new_share"] == 0.5
    assert [entry["kept"] for entry in result.rounds] == [4, 6]


def test_the_unit_is_that_of_the_first_round() -> None:
    """The same round is new or not by how much the first one's pictures differ, not by fixed numbers."""
    late = unit([10, 12])
    wide = found(np.concatenate([unit([0, 90, 0, 90]), late]), [4, 6])
    narrow = found(np.concatenate([unit([0, 2, 0, 2]), late]), [4, 6])
    assert (wide.rounds[1]["new_share"], narrow.rounds[1]["new_share"]) == (0, 1)
    assert narrow.reach < wide.reach
    assert wide.reach == pytest.approx(0.5 * 0.5)


def test_a_round_without_any_use_does_not_end_the_drawing_by_an_error() -> None:
    result = found(unit([0, 20, 40, 60]), [2, 4], [False] * 4)
    assert [entry["kept"] for entry in result.rounds] == [0, 0]
    assert not result.satisfied
