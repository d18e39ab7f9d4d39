"""The verdict of a run in two sentences: whether the subject was learnt, and the better of the two models."""

from __future__ import annotations

from collections.abc import Mapping

from proxytune.contract.types.plan import ChosenModel
from proxytune.metrics.intervals import Difference, Score
from proxytune.metrics.scores import retained

Models = Mapping[str, ChosenModel]

SIGNIFICANT = 0.05
"""Level of the test that compares student and teacher."""
# The rows that a conclusion needs.
COMPARED = ("teacher", "student", "teacher-base", "student-base")


def stand_ins(models: Models) -> list[ChosenModel]:
    """The models of a plan that are tiny stand-ins with random weights for full-size ones."""
    return [model for model in models.values() if model["standInFor"] is not None]


def verdict(dino: Mapping[str, Score], difference: Difference | None, models: Models) -> str:
    """Summarize the DINO scores, the measure that best distinguishes subjects of one category.

    A model has learnt the subject when its interval is entirely above that of the untuned model. There is no
    conclusion when any of the models is a stand-in with random weights, or has one image only.

    Args:
        dino: row name -> score; teacher, student, teacher-base, student-base, and photos where there are
            several of them.
        difference: of student minus teacher; None where there are less than two pairs of images.
        models: of the plan, by their roles.
    """
    kept = retained(dino["student"].mean, dino["teacher"].mean)
    # A share of noise would look like a success.
    share = "" if kept is None or stand_ins(models) else f" ({kept * 100:.0f} % kept)"
    floor = f"a floor of {_two(dino['student-base'].mean)} and {_two(dino['teacher-base'].mean)}"
    ceiling = (
        f"a ceiling of {_two(dino['photos'].mean)} (the photos compared with each other)"
        if "photos" in dino
        else "no ceiling, as there is only one photo"
    )
    student, teacher = _two(dino["student"].mean), _two(dino["teacher"].mean)
    return (
        f"{_conclusion(dino, models)}: similarity to the photos (DINO) is {student} for the student and "
        f"{teacher} for its teacher{share}, against {floor} (the same models untuned) and {ceiling}."
        + ("" if stand_ins(models) or difference is None else f" {_better(difference)}")
    )


def learnt(dino: Mapping[str, Score]) -> tuple[bool, bool]:
    """Decide whether teacher and student learnt the subject: an interval entirely above the untuned model's.

    Args:
        dino: as for `verdict`. A score without an interval shows nothing.
    """
    return _above(dino["teacher"], dino["teacher-base"]), _above(dino["student"], dino["student-base"])


def has_enough_images(dino: Mapping[str, Score]) -> bool:
    """Decide whether there are enough images for a conclusion.

    Args:
        dino: as for `verdict`.
    """
    return all(dino[row].has_interval for row in COMPARED)


def testable(pairs: int) -> bool:
    """Decide whether a sign-flip test has enough pairs to be significant: at least six."""
    return 2 / 2**pairs < SIGNIFICANT


def _above(tuned: Score, untuned: Score) -> bool:
    return tuned.low is not None and untuned.high is not None and tuned.low > untuned.high


def _better(difference: Difference) -> str:
    size = f"difference {abs(difference.mean):.2f} over {difference.pairs} pairs, p = {difference.p:.2f}"
    if not testable(difference.pairs):
        return f"{difference.pairs} prompts are too few to say which of the two is closer to the photos."
    if difference.p >= SIGNIFICANT:
        return f"Neither of the two is measurably closer to the photos ({size})."
    better, other = ("student", "teacher") if difference.mean > 0 else ("teacher", "student")
    return f"The {better} is closer to the photos than the {other} ({size.replace('p = 0.00', 'p < 0.01')})."


def _conclusion(dino: Mapping[str, Score], models: Models) -> str:
    if stand_ins(models):
        return "No conclusion, as stand-ins with random weights were used"
    if not has_enough_images(dino):
        return "It cannot be said whether the subject was learnt, as one image of a model is not enough"
    teacher, student = learnt(dino)
    if teacher and student:
        return "Teacher and student both learnt the subject"
    if teacher:
        return "The teacher learnt the subject, the student did not measurably"
    if student:
        return "The student is above its floor, its teacher is not measurably above its own"
    return "Neither teacher nor student measurably learnt the subject"


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00")
