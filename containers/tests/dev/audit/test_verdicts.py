"""Constructed runs are what they claim, and the verdict on them is right where it should be."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest

from dev.audit.constructed import LEARNT, NOT_LEARNT, constructed, prompts, verdict_subject
from dev.audit.judges import DinoJudge, MascJudge
from dev.audit.proportion import exact_interval
from dev.audit.verdicts import BLIND, RUNS, Judged, judged_runs, kinds_of_runs, verdicts_as_text
from dev.tools.audit import MODELS
from proxytune.drawn_world.appearance import CLEAR
from proxytune.drawn_world.colour import ciede2000, to_lab


@pytest.fixture(scope="module")
def runs() -> list[Judged]:
    return judged_runs(DinoJudge(MODELS), 25)


def test_the_audit_has_enough_runs_and_enough_of_each_kind() -> None:
    kinds = [*kinds_of_runs(RUNS)]
    learnt = [pair for pair in kinds if set(pair) <= set(LEARNT)]
    assert len(kinds) >= 600
    assert len(kinds) - len(learnt) >= 300
    students = Counter(student for _, student in kinds)
    assert students.keys() == {*LEARNT, *NOT_LEARNT}
    assert min(students.values()) >= 60
    # A student that learnt nothing has a teacher that did as often as one that did not.
    taught = Counter(teacher in LEARNT for teacher, student in kinds if student in NOT_LEARNT)
    assert taught[True] == taught[False]


def test_the_verdict_is_right_where_dino_sees_the_difference(runs: list[Judged]) -> None:
    seen = [run for run in runs if BLIND not in (run.teacher, run.student)]
    assert len(seen) == 22
    assert all(run.right for run in seen), [run for run in seen if not run.right]


def test_masc_sees_another_pattern_too() -> None:
    judged = judged_runs(MascJudge(MODELS), 25)
    assert sum(BLIND in (run.teacher, run.student) for run in judged) == 3
    assert all(run.right for run in judged), [run for run in judged if not run.right]


def test_another_subject_is_another_one_in_its_colours() -> None:
    for number in range(20):
        subject = verdict_subject(Random(number), 2)
        assert subject.other.category == subject.appearance.category
        bodies = to_lab(subject.appearance.body), to_lab(subject.other.body)
        assert float(ciede2000(*bodies)) >= CLEAR


@pytest.mark.parametrize("kind", [kind for kind in (*LEARNT, *NOT_LEARNT) if kind != "untuned"])
def test_only_images_without_a_defect_are_those_of_the_subject(kind: str) -> None:
    subject = verdict_subject(Random("shown"), 1)
    # The pattern is sampled first in every kind, so the poses are the same.
    right = constructed(subject, "right", Random("poses"))
    images = constructed(subject, kind, Random("poses"))
    assert len(images) == len(prompts()) == 24
    equal = sum(np.array_equal(one, other) for one, other in zip(images, right, strict=True))
    assert equal == {"right": 24, "1 of 8 another subject": 21, "half another subject": 12}.get(kind, 0)


def test_answers_count_as_they_should() -> None:
    half = Judged("right", "untuned", (True, False))
    assert half.right
    assert not half.falsely_learnt
    # A student said to have learnt the subject, and a teacher said to have not: one false "learnt".
    runs = [half, Judged("right", "untuned", (True, True)), Judged("right", "right", (False, True))]
    assert [run.falsely_learnt for run in runs] == [False, True, False]
    assert [run.right for run in runs] == [True, False, False]
    text = verdicts_as_text(runs).splitlines()
    assert text[0] == "3 runs of as many subjects, 2 of them not learnt by both"
    assert text[4].startswith("| right | 33.3% (")
    assert text[5].startswith("| false “learnt” | 50.0% (")
    assert "| untuned | 2 | 50.0% (1.3% to 98.7%) | none |" in text


def test_the_interval_is_that_of_clopper_and_pearson() -> None:
    # Without hits the upper end is 1 - 0.025 ** (1 / n).
    assert exact_interval(0, 300) == (0, pytest.approx(1 - 0.025 ** (1 / 300), abs=1e-9))
    assert exact_interval(300, 300) == (pytest.approx(0.025 ** (1 / 300), abs=1e-9), 1)
    # 8 of 20: 0.1912 to 0.6395 by tables of the beta distribution.
    assert exact_interval(8, 20) == (pytest.approx(0.1912, abs=1e-4), pytest.approx(0.6395, abs=1e-4))
