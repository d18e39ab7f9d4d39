"""The verdict of a run: was the subject learnt, why, what is the weakest point, and which model to use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proxytune.contract.types.plan import ChosenModel
from proxytune.evaluation.pictures import ScoredPicture
from proxytune.evaluation.weakest import WeakPoint, weakest_point
from proxytune.metrics.intervals import Difference, Score
from proxytune.metrics.scores import retained

Models = Mapping[str, ChosenModel]

SIGNIFICANT = 0.05
"""Level of the test that compares student and teacher."""
LEARNT = 0.7
"""Share of the way from the untuned model to the photos that a model must have covered.

Chosen on 300 constructed runs of the subjects that `dev/audit/verdicts.py` names tuning-000 and on, none of
which it audits. Models that learnt the subject cover 0.80 at least; those that show another one in half of
their images cover half of the way, and 0.68 at most.
"""
# The rows that a conclusion needs.
COMPARED = ("teacher", "student", "teacher-base", "student-base")


def stand_ins(models: Models) -> list[ChosenModel]:
    """The models of a plan that are tiny stand-ins with random weights for full-size ones."""
    return [model for model in models.values() if model["standInFor"] is not None]


def verdict(
    dino: Mapping[str, Score],
    differences: Mapping[str, Difference | None],
    models: Models,
    images: Mapping[str, Sequence[ScoredPicture]],
) -> str:
    """Summarize the DINO scores, the measure that best distinguishes subjects of one category.

    There is no conclusion when any of the models is a stand-in with random weights, or has one image only.

    Args:
        dino: row name -> score; teacher, student, teacher-base, student-base, and photos where there are
            several of them.
        differences: of student minus teacher by `dino` and `clip_t`; None where there are less than two
            pairs of images.
        models: of the plan, by their roles.
        images: of the rows teacher and student, for the weakest point.
    """
    concludes = not stand_ins(models) and has_enough_images(dino)
    kept = retained(dino["student"].mean, dino["teacher"].mean)
    share = "" if kept is None else f" ({kept * 100:.0f} % kept)"
    floor = f"a floor of {_two(dino['student-base'].mean)} and {_two(dino['teacher-base'].mean)}"
    ceiling = (
        f"a ceiling of {_two(dino['photos'].mean)} (the photos compared with each other)"
        if "photos" in dino
        else "no ceiling, as there is only one photo"
    )
    student, teacher = _two(dino["student"].mean), _two(dino["teacher"].mean)
    reason = (
        f"similarity to the photos (DINO) is {student} for the student and {teacher} for its teacher{share}, "
        f"against {floor} (the same models untuned) and {ceiling}"
    )
    if stand_ins(models):
        # Scores of noise would be read as a result.
        return f"{_conclusion(dino, models)}."
    if not concludes:
        return f"{_conclusion(dino, models)}: {reason}."
    chosen, advice = _use(dino, differences)
    weak = weakest_point(images[chosen], limit(dino, chosen))
    return f"{_conclusion(dino, models)}: {reason}{'' if weak is None else _weakness(chosen, weak)}. {advice}"


def learnt(dino: Mapping[str, Score]) -> tuple[bool, bool]:
    """Decide whether teacher and student learnt the subject.

    A model has learnt it when its interval is entirely above that of the untuned model, and its mean is at
    `limit` or above.

    Args:
        dino: as for `verdict`. A score without an interval shows nothing.
    """
    teacher, student = (
        _above(dino[model], dino[f"{model}-base"]) and dino[model].mean >= limit(dino, model)
        for model in ("teacher", "student")
    )
    return teacher, student


def limit(dino: Mapping[str, Score], model: str) -> float:
    """The least DINO of a learnt subject: LEARNT of the way from the untuned model to the photos.

    With one photo there is no ceiling, and the limit is the upper end of the untuned model's interval.

    Args:
        dino: as for `verdict`.
        model: teacher or student.
    """
    floor = dino[f"{model}-base"]
    if "photos" in dino:
        return floor.mean + LEARNT * (dino["photos"].mean - floor.mean)
    return floor.mean if floor.high is None else floor.high


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


def _weakness(model: str, weak: WeakPoint) -> str:
    where = f"“{weak.prompt}” the {model}"
    if weak.lost is not None:
        return f"; with {where} loses the {weak.lost}: {_of(weak)}"
    if weak.count:
        return f"; with {where} is weakest (DINO {_two(weak.dino)}): {_of(weak)} too unlike the photos"
    return f"; even with {where} loses nothing that is measured (its weakest, DINO {_two(weak.dino)})"


def _of(weak: WeakPoint) -> str:
    return f"{weak.count} of {weak.images} image{'' if weak.images == 1 else 's'}"


def _use(dino: Mapping[str, Score], differences: Mapping[str, Difference | None]) -> tuple[str, str]:
    """The model to use, or to look at where neither is of use, and the sentence that says so and why."""
    teacher, student = learnt(dino)
    if not (teacher or student):
        return "student", "Use neither of the two yet."
    if not student:
        return "teacher", "Use the teacher."
    if not teacher:
        return "student", "Use the student."
    likeness, prompt = differences["dino"], differences["clip_t"]
    if likeness is None or not testable(likeness.pairs):
        count = 0 if likeness is None else likeness.pairs
        return "student", (
            f"Use the student: {count} prompts are too few to say which of the two is closer to the photos."
        )
    closer, follows = _better(likeness), None if prompt is None else _better(prompt)
    if closer is None:
        same = f"neither of the two is measurably closer to the photos ({_size(likeness)})"
        if prompt is not None and follows == "teacher":
            return "teacher", f"Use the teacher: {same}, but it follows prompts better ({_size(prompt)})."
        return "student", f"Use the student: {same}."
    other = "teacher" if closer == "student" else "student"
    but = f", although the {other} follows prompts better" if follows == other else ""
    return (
        closer,
        f"Use the {closer}: it is closer to the photos than the {other} ({_size(likeness)}){but}.",
    )


def _better(difference: Difference) -> str | None:
    """The model with the significantly higher score; None where neither has one."""
    if not testable(difference.pairs) or difference.p >= SIGNIFICANT:
        return None
    return "student" if difference.mean > 0 else "teacher"


def _size(difference: Difference) -> str:
    p = "p < 0.01" if difference.p < 0.01 else f"p = {difference.p:.2f}"
    return f"difference {abs(difference.mean):.2f} over {difference.pairs} pairs, {p}"


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
        return "The student learnt the subject, its teacher did not measurably"
    return "Neither teacher nor student measurably learnt the subject"


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00")
