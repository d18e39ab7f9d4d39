"""Copying and diversity see copied and collapsed sets, each its own kind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dev.audit.defects import audit_subjects
from dev.audit.sets import SHARES, SetRow, Sets, measured_sets, set_rows, sets_as_text
from dev.tools.audit import MODELS
from proxytune.metrics.encoders import DinoEncoder


@pytest.fixture(scope="module")
def sets() -> Sets:
    return measured_sets(
        list(audit_subjects(4)), DinoEncoder(Path(MODELS) / "dino-miniature", torch.device("cpu"))
    )


@pytest.fixture(scope="module")
def rows(sets: Sets) -> dict[tuple[str, str], SetRow]:
    return {(row.kind, row.measure): row for row in set_rows(sets)}


def test_there_is_a_set_of_each_kind_and_share_for_each_subject(sets: Sets) -> None:
    expected = {
        (subject, kind, share) for subject in range(4) for kind in ("copied", "collapsed") for share in SHARES
    }
    found = list(zip(sets.subject, sets.kind, sets.share, strict=True))
    assert len(found) == len(expected)
    assert set(found) == expected
    # Without any such image, both kinds are the same set.
    for said in sets.said.values():
        by_set = dict(zip(found, said, strict=True))
        assert all(by_set[at, "copied", 0.0] == by_set[at, "collapsed", 0.0] for at in range(4))


def test_copied_sets_are_nearest_to_a_photo(rows: dict[tuple[str, str], SetRow]) -> None:
    assert rows["copied", "nearest"].detected == 1
    assert rows["copied", "nearest"].agreement[0] >= 0.8
    assert rows["copied", "copies"].detected >= 0.85


def test_collapsed_sets_are_not_diverse(rows: dict[tuple[str, str], SetRow]) -> None:
    assert rows["collapsed", "diversity"].detected == 1
    agreement, low, high = rows["collapsed", "diversity"].agreement
    assert 0.6 <= low <= agreement <= high


def test_neither_measure_mistakes_one_kind_for_the_other(rows: dict[tuple[str, str], SetRow]) -> None:
    assert rows["collapsed", "nearest"].detected < 0.75
    assert rows["copied", "diversity"].detected < 0.75


def test_the_text_has_a_line_for_each_row(rows: dict[tuple[str, str], SetRow], sets: Sets) -> None:
    text = sets_as_text(list(rows.values()), sets).splitlines()
    assert text[0] == "40 sets of 8 images of 4 subjects"
    assert len(text) == 4 + 6
