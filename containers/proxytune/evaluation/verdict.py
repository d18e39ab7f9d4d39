"""The result of a run in one sentence: teacher, student, floor, ceiling."""

from __future__ import annotations

from collections.abc import Mapping

from proxytune.contract.types.plan import ChosenModel
from proxytune.metrics.scores import Score, retained

Models = Mapping[str, ChosenModel]


def stand_ins(models: Models) -> list[ChosenModel]:
    """The models of a plan that are tiny stand-ins with random weights for full-size ones."""
    return [model for model in models.values() if model["standInFor"] is not None]


def verdict(dino: Mapping[str, Score], models: Models) -> str:
    """Summarize the DINO scores, the measure that best distinguishes subjects of one category.

    A model has learnt the subject when its interval is entirely above that of the untuned model. There is no
    conclusion when any of the models is a stand-in with random weights.

    Args:
        dino: row name -> score; teacher, student, teacher-base, student-base, and photos where there are
            several of them.
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
    )


def learnt(dino: Mapping[str, Score]) -> tuple[bool, bool]:
    """Decide whether teacher and student learnt the subject: an interval entirely above the untuned model's.

    Args:
        dino: as for `verdict`.
    """
    return (
        dino["teacher"].low > dino["teacher-base"].high,
        dino["student"].low > dino["student-base"].high,
    )


def _conclusion(dino: Mapping[str, Score], models: Models) -> str:
    if stand_ins(models):
        return "No conclusion, as stand-ins with random weights were used"
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
