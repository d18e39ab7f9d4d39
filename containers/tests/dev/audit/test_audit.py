"""The planted defects are what they claim, and the shipped encoders see them."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

from dev.audit.defects import BLURS, CLEAN, HUES, MOVES, AuditSubject, audit_subjects
from dev.audit.measures import Measures
from dev.audit.table import Images, Row, as_text, audit_rows, measured
from dev.tools.audit import MODELS, SUBJECTS
from proxytune.drawn_world.ground_truth.measures import measure


@pytest.fixture(scope="module")
def subjects() -> list[AuditSubject]:
    return list(audit_subjects(4))


@pytest.fixture(scope="module")
def images(subjects: list[AuditSubject]) -> Images:
    return measured(subjects, Measures(MODELS))


@pytest.fixture(scope="module")
def rows(images: Images) -> dict[str, Row]:
    return {row.measure: row for row in audit_rows(images)}


def test_the_audit_has_at_least_three_thousand_images(subjects: list[AuditSubject]) -> None:
    assert {len(one.planted) for one in subjects} == {37}
    assert SUBJECTS * 37 >= 3000


def test_the_damage_is_that_of_the_planted_size(subjects: list[AuditSubject]) -> None:
    by_size: dict[tuple[str, float], list[float]] = defaultdict(list)
    for subject in subjects:
        for one in subject.planted:
            by_size[one.kind, one.size].append(one.damage)
    assert by_size["none", 0] == [0] * CLEAN * len(subjects)
    for kind, sizes in (("hue", HUES), ("mark", HUES), ("displaced", MOVES), ("blur", BLURS)):
        means = [np.mean(by_size[kind, size]) for size in sizes]
        assert means[0] > 0
        assert all(small < large for small, large in pairwise(means)), (kind, means)
    assert min(by_size["pattern", 1]) > 1
    assert min(by_size["displaced", MOVES[-1]]) > 1
    assert by_size["wrong-context", 1] == by_size["no-context", 1] == [0] * 3 * len(subjects)


def test_the_context_is_wrong_or_missing_where_it_should_be(subjects: list[AuditSubject]) -> None:
    (subject,) = subjects[:1]
    found = measure(
        [one.image for one in subject.planted], subject.appearance, [one.requested for one in subject.planted]
    )
    right = {
        kind: [exact.context for exact, one in zip(found, subject.planted, strict=True) if one.kind == kind]
        for kind in ("none", "wrong-context")
    }
    assert right == {"none": [True] * CLEAN, "wrong-context": [False] * 3}


def test_the_shipped_encoders_see_planted_defects(rows: dict[str, Row]) -> None:
    dino, clip_t = rows["dino"], rows["clip_t"]
    assert dino.agreement is not None
    agreement, low, high = dino.agreement
    assert 0.6 <= low <= agreement <= high
    assert dino.detected["trim"] >= 0.95
    # A measure of the subject does not care about its surroundings; that of the prompt does.
    assert 0.35 <= dino.detected["wrong-context"] <= 0.65
    assert clip_t.detected["wrong-context"] >= 0.95
    assert clip_t.agreement is None


def test_the_text_has_a_line_for_each_measure(rows: dict[str, Row], images: Images) -> None:
    text = as_text(list(rows.values()), images).splitlines()
    assert text[0] == "148 images of 4 subjects"
    assert [line.split("|")[1].strip() for line in text[4:]] == [
        *("masc_identity", "dino", "clip_i", "palette"),
        *("masc_prompt", "clip_t"),
    ]
