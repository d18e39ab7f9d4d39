from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from proxytune.drawn_world.ground_truth.measures import Exact
from proxytune.evaluation.likeness import LEARNT, MEDIAN, Likeness, likeness_of
from proxytune.evaluation.pictures import ScoredPicture, View
from proxytune.evaluation.verdict import Models, stand_ins, verdict
from proxytune.evaluation.weakest import WeakPoint, weakest_point
from proxytune.metrics.intervals import Difference, Score
from proxytune.metrics.masc import MascScore
from proxytune.metrics.pictures import Picture

TRAINED = {"teacher": {"standInFor": None}, "clip": {"standInFor": None}}
LOW, HIGH = Score(0.3, 0.25, 0.35), Score(0.65, 0.6, 0.7)

CLEAR = Difference(0.05, 0.02, 0.08, 0.001, 25)


def dino(**changes: Score) -> dict[str, Score]:
    rows = {
        "photos": Score(0.77, 0.7, 0.8),
        "teacher": HIGH,
        "student": Score(0.63, 0.55, 0.68),
        "teacher-base": LOW,
        "student-base": Score(0.28, 0.2, 0.31),
    }
    return rows | {name.replace("_", "-"): score for name, score in changes.items()}


def likeness(rows: dict[str, Score]) -> Likeness:
    return likeness_of([{"name": name, "dino": dataclasses.asdict(score)} for name, score in rows.items()])


def by_masc(quarters: tuple[float, float], **changes: Score) -> Likeness:
    """The likeness of a run with MaSC: its scores are `dino`'s, and DINO itself says nothing.

    Args:
        quarters: lower quartile and median of the student's images; the teacher's are the photos'.
    """
    ends = {"student": quarters, "teacher": (0.77, 0.77)}
    rows = []
    for name, score in dino(**changes).items():
        lower, median = ends.get(name, (score.mean, score.mean))
        masc = {"masc_identity": dataclasses.asdict(score), "masc_quartile": lower, "masc_median": median}
        rows.append({"name": name, "dino": dataclasses.asdict(LOW), **masc})
    return likeness_of(rows)


def shown(prompt: str, dino: float, exact: Exact | None = None) -> ScoredPicture:
    view = View("1.png", "1.png", 1, 1, "")
    picture = Picture("student", 0, f"a ohwx dog {prompt}", f"a dog {prompt}", 1, bytes)
    return ScoredPicture(picture, view, dino, 0.3, dino, (0, dino), None, exact)


def learnt(run: Likeness) -> tuple[bool, bool]:
    return run.learnt("teacher"), run.learnt("student")


RIGHT = Exact(palette=3.0, shape=0.95, pattern=True, category=True, context=True)
FLAT = dataclasses.replace(RIGHT, shape=0.5)
# The student's limit is 0.28 + 0.7 * (0.77 - 0.28) = 0.623.
IMAGES = [shown("at sunset", 0.7), shown("at night", 0.5), shown("at night", 0.65)]


def say(
    rows: dict[str, Score],
    difference: Difference | None = None,
    models: Any = TRAINED,
    prompt: Difference | None = None,
    images: list[ScoredPicture] = IMAGES,
) -> str:
    checked: Models = models
    compared = {"dino": difference, "clip_t": prompt}
    return verdict(likeness(rows), compared, checked, {"teacher": images, "student": images})


def test_the_complete_sentence() -> None:
    assert say(dino(), CLEAR) == (
        "Teacher and student both learnt the subject: similarity to the photos (DINO) is 0.63 for the "
        "student and 0.65 for its teacher (97 % kept), against a floor of 0.28 and 0.30 (the same models "
        "untuned) and a ceiling of 0.77 (the photos compared with each other); with “a dog at night” the "
        "student is weakest (DINO 0.57): 1 of 2 images too unlike the photos. Use the student: it is closer "
        "to the photos than the teacher (difference 0.05 over 25 pairs, p < 0.01)."
    )


def test_a_run_without_a_teacher_is_judged_by_its_student() -> None:
    rows = {name: score for name, score in dino().items() if not name.startswith("teacher")}
    assert say(rows).startswith(
        "The student learnt the subject: similarity to the photos (DINO) is 0.63 for the student, against a "
        "floor of 0.28 (the same model untuned) and a ceiling of 0.77"
    )
    assert say(rows).endswith("Use the student.")
    failed = say(rows | {"student": LOW})
    assert failed.startswith("The student did not measurably learn the subject: ")
    assert failed.endswith("Do not use it yet.")
    assert say(rows | {"student": Score(0.9, None, None)}).startswith("It cannot be said")


@pytest.mark.parametrize(
    ("changes", "beginning", "end"),
    [
        ({"student": LOW}, "The teacher learnt the subject, the student did not measurably:", "teacher."),
        ({"teacher": LOW}, "The student learnt the subject, its teacher did not measurably:", "student."),
        ({"teacher": LOW, "student": LOW}, "Neither teacher nor student measurably learnt", "two yet."),
    ],
)
def test_a_model_that_did_not_learn_is_not_the_one_to_use(
    changes: dict[str, Score], beginning: str, end: str
) -> None:
    text = say(dino(**changes), CLEAR)
    assert text.startswith(beginning)
    assert text.endswith(end)


def test_part_of_the_way_from_untuned_to_the_photos_is_not_enough() -> None:
    line = 0.28 + LEARNT * (0.77 - 0.28)
    assert likeness(dino()).limit("student") == pytest.approx(line)
    above, below = (Score(line + by, 0.5, 0.7) for by in (0.001, -0.001))
    # Both intervals are far above the untuned model's, which ends at 0.31.
    assert learnt(likeness(dino(student=above))) == (True, True)
    assert learnt(likeness(dino(student=below))) == (True, False)
    # On the line, with an interval that reaches down to the untuned model's: by chance, perhaps.
    assert learnt(likeness(dino(student=Score(0.7, 0.3, 0.9)))) == (True, False)


def test_masc_decides_where_it_is_measured() -> None:
    # From 0.28 to 0.77: the quartile must reach 0.7 of the way, the median 0.92 of it.
    quartile, median = (0.28 + share * (0.77 - 0.28) + 1e-6 for share in (LEARNT, MEDIAN))
    assert learnt(by_masc((quartile, median))) == (True, True)
    assert learnt(by_masc((quartile - 1e-5, median))) == (True, False)
    assert learnt(by_masc((quartile, median - 1e-5))) == (True, False)
    # Not by chance: the interval must be above the untuned model's.
    assert learnt(by_masc((quartile, median), student=Score(0.7, 0.3, 0.9))) == (True, False)
    assert by_masc((quartile, median)).title == "MaSC identity"
    assert likeness(dino()).title == "DINO"


def test_a_sentence_on_masc_names_it() -> None:
    images = [dataclasses.replace(one, masc=MascScore(one.dino / 2, 0.3)) for one in IMAGES]
    run = by_masc((0.7, 0.75))
    text = verdict(
        run, {"masc_identity": CLEAR, "clip_t": None}, TRAINED, {"student": images, "teacher": images}
    )
    assert "similarity to the photos (MaSC identity) is 0.63 for the student and 0.65" in text
    # (0.5 + 0.65) / 4; both images are below 0.623.
    assert (
        "with “a dog at night” the student is weakest (MaSC identity 0.29): 2 of 2 images too unlike" in text
    )


def test_dino_decides_where_a_row_has_no_masc() -> None:
    rows = [
        {"name": name, "dino": dataclasses.asdict(score), "masc_identity": None}
        for name, score in dino().items()
    ]
    assert likeness_of(rows).key == "dino"


def test_with_one_photo_the_interval_alone_decides() -> None:
    rows = dino(student=Score(0.4, 0.32, 0.5))
    assert learnt(likeness(rows)) == (True, False)
    del rows["photos"]
    assert learnt(likeness(rows)) == (True, True)
    assert likeness(rows).limit("student") == 0.31


def test_the_defect_of_the_weakest_prompt_is_named_where_the_truth_is_known() -> None:
    night = [shown("at night", 0.9, FLAT) for _ in range(4)]
    sunset = [shown("at sunset", 0.2, RIGHT), shown("at sunset", 0.2, FLAT)]
    text = say(dino(), CLEAR, images=[*sunset, *night])
    assert "; with “a dog at night” the student loses the outline: 4 of 4 images. Use" in text


@pytest.mark.parametrize(
    ("exact", "lost"),
    [
        (dataclasses.replace(RIGHT, palette=10.1), "colours"),
        (dataclasses.replace(RIGHT, pattern=False), "pattern"),
        (dataclasses.replace(RIGHT, context=False), "place"),
        # Without an object nothing is right, and the outline says it best.
        (Exact(30.0, 0.0, False, False, False), "outline"),
    ],
)
def test_each_loss_is_recognized(exact: Exact, lost: str) -> None:
    point = weakest_point(
        [shown("at night", 0.9, exact), shown("at night", 0.9, RIGHT)], likeness(dino()).of, 0.5
    )
    assert point == WeakPoint("a dog at night", 0.9, 2, lost, 1)


def test_a_model_without_a_weak_point_has_a_weakest_prompt() -> None:
    images = [shown("at night", 0.8), shown("at sunset", 0.7)]
    assert weakest_point(images, likeness(dino()).of, 0.6) == WeakPoint("a dog at sunset", 0.7, 1, None, 0)
    assert "even with “a dog at sunset” the student loses nothing that is measured (its weakest" in say(
        dino(), CLEAR, images=images
    )
    assert weakest_point([], likeness(dino()).of, 0.6) is None


def test_there_is_no_conclusion_with_a_stand_in() -> None:
    models: dict[str, Any] = TRAINED | {"clip": {"standInFor": "clip-vit-b32"}}
    assert stand_ins(models) == [models["clip"]]
    # Scores of noise would be read as a result, so there are none.
    assert say(dino(), CLEAR, models) == "No conclusion, as stand-ins with random weights were used."


@pytest.mark.parametrize("row", ["teacher", "student", "teacher-base", "student-base"])
def test_a_single_image_of_a_model_gives_no_conclusion(row: str) -> None:
    # Far above the floor, and still nothing is known about a second image.
    text = say(dino() | {row: Score(0.99 if "base" not in row else -0.9, None, None)}, CLEAR)
    assert text.startswith("It cannot be said whether the subject was learnt, as one image of a model is not")
    assert "Use" not in text


FEW = Difference(0.35, 0.3, 0.4, 0.0625, 5)
ALIKE = Difference(0.05, -0.01, 0.11, 0.07, 6)
WORSE = Difference(-0.05, -0.08, -0.02, 0.03, 25)


@pytest.mark.parametrize(
    ("difference", "prompt", "sentence"),
    [
        (
            WORSE,
            CLEAR,
            "Use the teacher: it is closer to the photos than the student (difference 0.05 over 25 pairs, "
            "p = 0.03), although the student follows prompts better.",
        ),
        (
            ALIKE,
            None,
            "Use the student: neither of the two is measurably closer to the photos (difference 0.05 over 6 "
            "pairs, p = 0.07).",
        ),
        (
            ALIKE,
            WORSE,
            "Use the teacher: neither of the two is measurably closer to the photos (difference 0.05 over 6 "
            "pairs, p = 0.07), but it follows prompts better (difference 0.05 over 25 pairs, p = 0.03).",
        ),
        (
            FEW,
            WORSE,
            "Use the student: 5 prompts are too few to say which of the two is closer to the photos.",
        ),
    ],
)
def test_the_model_to_use_is_the_measurably_better_one(
    difference: Difference, prompt: Difference | None, sentence: str
) -> None:
    assert say(dino(), difference, prompt=prompt).endswith(f". {sentence}")


def test_one_photo_gives_no_ceiling() -> None:
    rows = dino()
    del rows["photos"]
    assert "and no ceiling, as there is only one photo;" in say(rows)


def test_no_share_is_given_of_a_teacher_that_scores_nothing() -> None:
    text = say(dino(teacher=Score(-0.001, -0.1, 0.1)))
    assert "kept" not in text
    assert "0.00 for its teacher" in text
