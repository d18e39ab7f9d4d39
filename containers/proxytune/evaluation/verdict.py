"""The verdict of a run: was the subject learnt, why, what is the weakest point, and which model to use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proxytune.contract.types.plan import ChosenModel
from proxytune.evaluation.likeness import Likeness
from proxytune.evaluation.pictures import ScoredPicture
from proxytune.evaluation.weakest import WeakPoint, weakest_point
from proxytune.metrics.intervals import Difference
from proxytune.metrics.scores import retained

Models = Mapping[str, ChosenModel]

SIGNIFICANT = 0.05
"""Level of the test that compares student and teacher."""


def stand_ins(models: Models) -> list[ChosenModel]:
    """The models of a plan that are tiny stand-ins with random weights for full-size ones."""
    return [model for model in models.values() if model["standInFor"] is not None]


def verdict(
    likeness: Likeness,
    differences: Mapping[str, Difference | None],
    models: Models,
    images: Mapping[str, Sequence[ScoredPicture]],
) -> str:
    """Summarize the similarity to the photos.

    There is no conclusion when any of the models is a stand-in with random weights, or has one image only.

    Args:
        likeness: of the run.
        differences: of student minus teacher by the likeness's key and `clip_t`; None where there are less
            than two pairs of images.
        models: of the plan, by their roles.
        images: of the rows teacher, if the run has one, and student, for the weakest point.
    """
    conclusion = _conclusion(likeness, models)
    if stand_ins(models):
        # Scores of noise would be read as a result.
        return f"{conclusion}."
    reason = _reason(likeness)
    if not likeness.has_enough_images():
        return f"{conclusion}: {reason}."
    chosen, advice = _use(likeness, differences)
    weak = weakest_point(images[chosen], likeness.of, likeness.limit(chosen))
    weakness = "" if weak is None else _weakness(chosen, weak, likeness.title)
    return f"{conclusion}: {reason}{weakness}. {advice}"


def _reason(likeness: Likeness) -> str:
    scores = likeness.scores
    student, floor = _two(scores["student"].mean), _two(scores["student-base"].mean)
    ceiling = (
        f"a ceiling of {_two(scores['photos'].mean)} (the photos compared with each other)"
        if "photos" in scores
        else "no ceiling, as there is only one photo"
    )
    begin = f"similarity to the photos ({likeness.title}) is {student} for the student"
    if "teacher" not in scores:
        return f"{begin}, against a floor of {floor} (the same model untuned) and {ceiling}"
    kept = retained(scores["student"].mean, scores["teacher"].mean)
    share = "" if kept is None else f" ({kept * 100:.0f} % kept)"
    return (
        f"{begin} and {_two(scores['teacher'].mean)} for its teacher{share}, against a floor of {floor} and "
        f"{_two(scores['teacher-base'].mean)} (the same models untuned) and {ceiling}"
    )


def testable(pairs: int) -> bool:
    """Decide whether a sign-flip test has enough pairs to be significant: at least six."""
    return 2 / 2**pairs < SIGNIFICANT


def _weakness(model: str, weak: WeakPoint, title: str) -> str:
    where = f"“{weak.prompt}” the {model}"
    if weak.lost is not None:
        return f"; with {where} loses the {weak.lost}: {_of(weak)}"
    if weak.count:
        return f"; with {where} is weakest ({title} {_two(weak.likeness)}): {_of(weak)} too unlike the photos"
    return f"; even with {where} loses nothing that is measured (its weakest, {title} {_two(weak.likeness)})"


def _of(weak: WeakPoint) -> str:
    return f"{weak.count} of {weak.images} image{'' if weak.images == 1 else 's'}"


def _use(likeness: Likeness, differences: Mapping[str, Difference | None]) -> tuple[str, str]:
    """The model to use, or to look at where neither is of use, and the sentence that says so and why."""
    if "teacher" not in likeness.models:
        return "student", "Use the student." if likeness.learnt("student") else "Do not use it yet."
    teacher, student = likeness.learnt("teacher"), likeness.learnt("student")
    if not (teacher or student):
        return "student", "Use neither of the two yet."
    if not student:
        return "teacher", "Use the teacher."
    if not teacher:
        return "student", "Use the student."
    difference, prompt = differences[likeness.key], differences["clip_t"]
    if difference is None or not testable(difference.pairs):
        count = 0 if difference is None else difference.pairs
        return "student", (
            f"Use the student: {count} prompts are too few to say which of the two is closer to the photos."
        )
    closer, follows = _better(difference), None if prompt is None else _better(prompt)
    if closer is None:
        same = f"neither of the two is measurably closer to the photos ({_size(difference)})"
        if prompt is not None and follows == "teacher":
            return "teacher", f"Use the teacher: {same}, but it follows prompts better ({_size(prompt)})."
        return "student", f"Use the student: {same}."
    other = "teacher" if closer == "student" else "student"
    but = f", although the {other} follows prompts better" if follows == other else ""
    return (
        closer,
        f"Use the {closer}: it is closer to the photos than the {other} ({_size(difference)}){but}.",
    )


def _better(difference: Difference) -> str | None:
    """The model with the significantly higher score; None where neither has one."""
    if not testable(difference.pairs) or difference.p >= SIGNIFICANT:
        return None
    return "student" if difference.mean > 0 else "teacher"


def _size(difference: Difference) -> str:
    p = "p < 0.01" if difference.p < 0.01 else f"p = {difference.p:.2f}"
    return f"difference {abs(difference.mean):.2f} over {difference.pairs} pairs, {p}"


def _conclusion(likeness: Likeness, models: Models) -> str:
    if stand_ins(models):
        return "No conclusion, as stand-ins with random weights were used"
    if not likeness.has_enough_images():
        return "It cannot be said whether the subject was learnt, as one image of a model is not enough"
    if "teacher" not in likeness.models:
        learnt = likeness.learnt("student")
        return f"The student {'learnt' if learnt else 'did not measurably learn'} the subject"
    teacher, student = likeness.learnt("teacher"), likeness.learnt("student")
    if teacher and student:
        return "Teacher and student both learnt the subject"
    if teacher:
        return "The teacher learnt the subject, the student did not measurably"
    if student:
        return "The student learnt the subject, its teacher did not measurably"
    return "Neither teacher nor student measurably learnt the subject"


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00")
