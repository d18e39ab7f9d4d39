from __future__ import annotations

from typing import Any

import pytest

from proxytune.evaluation.verdict import stand_ins, verdict
from proxytune.metrics.intervals import Difference, Score

TRAINED = {"teacher": {"standInFor": None}, "clip": {"standInFor": None}}
LOW, HIGH = Score(0.3, 0.25, 0.35), Score(0.6, 0.55, 0.65)

CLEAR = Difference(0.05, 0.02, 0.08, 0.001, 25)


def dino(**changes: Score) -> dict[str, Score]:
    rows = {
        "photos": Score(0.77, 0.7, 0.8),
        "teacher": HIGH,
        "student": Score(0.57, 0.5, 0.6),
        "teacher-base": LOW,
        "student-base": Score(0.28, 0.2, 0.31),
    }
    return rows | {name.replace("_", "-"): score for name, score in changes.items()}


def test_the_complete_sentence() -> None:
    assert verdict(dino(), None, TRAINED) == (
        "Teacher and student both learnt the subject: similarity to the photos (DINO) is 0.57 for the "
        "student and 0.60 for its teacher (95 % kept), against a floor of 0.28 and 0.30 (the same models "
        "untuned) and a ceiling of 0.77 (the photos compared with each other)."
    )


@pytest.mark.parametrize(
    ("changes", "beginning"),
    [
        ({"student": LOW}, "The teacher learnt the subject, the student did not measurably:"),
        ({"teacher": LOW}, "The student is above its floor, its teacher is not measurably above its own:"),
        ({"teacher": LOW, "student": LOW}, "Neither teacher nor student measurably learnt the subject:"),
    ],
)
def test_intervals_that_overlap_show_nothing(changes: dict[str, Score], beginning: str) -> None:
    assert verdict(dino(**changes), None, TRAINED).startswith(beginning)


def test_there_is_no_conclusion_with_a_stand_in() -> None:
    models: dict[str, Any] = TRAINED | {"clip": {"standInFor": "clip-vit-b32"}}
    assert stand_ins(models) == [models["clip"]]
    text = verdict(dino(), CLEAR, models)
    assert text.startswith(
        "No conclusion, as stand-ins with random weights were used: similarity to the photos"
    )
    assert "kept" not in text
    assert "closer" not in text


@pytest.mark.parametrize("row", ["teacher", "student", "teacher-base", "student-base"])
def test_a_single_image_of_a_model_gives_no_conclusion(row: str) -> None:
    # Far above the floor, and still nothing is known about a second image.
    text = verdict(dino() | {row: Score(0.99 if "base" not in row else -0.9, None, None)}, None, TRAINED)
    assert text.startswith("It cannot be said whether the subject was learnt, as one image of a model is not")


@pytest.mark.parametrize(
    ("difference", "sentence"),
    [
        (
            CLEAR,
            "The student is closer to the photos than the teacher (difference 0.05 over 25 pairs, p < 0.01).",
        ),
        (
            Difference(-0.05, -0.08, -0.02, 0.03, 25),
            "The teacher is closer to the photos than the student (difference 0.05 over 25 pairs, p = 0.03).",
        ),
        (
            Difference(0.05, -0.01, 0.11, 0.07, 6),
            "Neither of the two is measurably closer to the photos (difference 0.05 over 6 pairs, p = 0.07).",
        ),
        (
            Difference(0.35, 0.3, 0.4, 0.0625, 5),
            "5 prompts are too few to say which of the two is closer to the photos.",
        ),
    ],
)
def test_student_and_teacher_are_compared(difference: Difference, sentence: str) -> None:
    assert verdict(dino(), difference, TRAINED).endswith(f". {sentence}")


def test_one_photo_gives_no_ceiling() -> None:
    rows = dino()
    del rows["photos"]
    assert verdict(rows, None, TRAINED).endswith("and no ceiling, as there is only one photo.")


def test_no_share_is_given_of_a_teacher_that_scores_nothing() -> None:
    text = verdict(dino(teacher=Score(-0.001, -0.1, 0.1)), None, TRAINED)
    assert "kept" not in text
    assert "0.00 for its teacher" in text
