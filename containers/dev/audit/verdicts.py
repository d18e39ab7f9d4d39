"""The audit of verdicts: constructed runs with a known answer, and whether the verdict on them is right.

Each run has a subject of its own, so runs are independent of each other; only the images of the untuned
models come from a common pool. Thresholds were chosen on the subjects tuning-000 and on; those of the audit
are unseen-000 and on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from dev.audit.constructed import (
    LEARNT,
    NOT_LEARNT,
    PER_PROMPT,
    constructed,
    prompts,
    untuned,
    verdict_subject,
)
from dev.audit.defects import REFERENCES
from dev.audit.judges import Judge
from dev.audit.proportion import exact_interval
from proxytune.drawn_world.scene import CONTEXTS
from proxytune.evaluation.likeness import likeness_of
from proxytune.evaluation.rows import quartiles
from proxytune.metrics.intervals import summarize

RUNS = 600
"""By default; three of five are not learnt by the student."""
POOL = 24
"""Untuned images of each category and context."""
AIM_RIGHT, AIM_FALSE = 0.95, 0.01
BLIND = "another pattern"
"""The kind that is the hardest to tell from the subject; shares are given without it too."""


@dataclass(frozen=True)
class Judged:
    """A constructed run.

    Attributes:
        teacher, student: their kinds, of LEARNT or NOT_LEARNT.
        said: what the verdict says of teacher and student: learnt or not.
    """

    teacher: str
    student: str
    said: tuple[bool, bool]

    @property
    def truth(self) -> tuple[bool, bool]:
        """Right answers for teacher and student."""
        return self.teacher in LEARNT, self.student in LEARNT

    @property
    def right(self) -> bool:
        """True where both answers are right."""
        return self.said == self.truth

    @property
    def falsely_learnt(self) -> bool:
        """True where a model that did not learn the subject is said to have."""
        return any(said and not true for said, true in zip(self.said, self.truth, strict=True))


def judged_runs(judge: Judge, count: int = RUNS, named: str = "unseen") -> list[Judged]:
    """Construct, score and judge runs; a larger count begins with the same ones.

    Args:
        judge: scores the images, each once.
        count: of runs.
        named: beginning of the subjects' names: unseen for the audit, tuning for choosing thresholds.
    """
    pools = {
        category: judge.encode(images, category)
        for category, images in untuned(POOL, Random(f"{named} untuned")).items()
    }
    return [
        _judged(Random(f"{named}-{number:03d}"), kinds, pools, judge)
        for number, kinds in enumerate(kinds_of_runs(count))
    ]


def kinds_of_runs(count: int) -> Iterator[tuple[str, str]]:
    """Kinds of teacher and student. Every second teacher of a student that did not learn the subject did."""
    for number in range(count):
        turn, place = divmod(number, 5)
        if place < 2:
            at = 2 * turn + place
            yield LEARNT[at // len(LEARNT) % len(LEARNT)], LEARNT[at % len(LEARNT)]
        else:
            at = 3 * turn + place - 2
            student = NOT_LEARNT[at % len(NOT_LEARNT)]
            again = at // len(NOT_LEARNT)
            yield (LEARNT[again // 2 % len(LEARNT)] if again % 2 else student), student


def _judged(rng: Random, kinds: tuple[str, str], pools: dict[str, Any], judge: Judge) -> Judged:
    subject = verdict_subject(rng, REFERENCES)
    category = subject.appearance.category
    photos, pool = judge.encode(subject.photos, category), pools[category]

    def model(kind: str) -> list[float]:
        if kind == "untuned":
            return judge.to_photos(judge.picked(pool, _untuned(rng)), photos)
        return judge.to_photos(judge.encode(constructed(subject, kind, rng), category), photos)

    teacher, student = kinds
    scores = {
        "teacher-base": model("untuned"),
        "student-base": model("untuned"),
        "teacher": model(teacher),
        "student": model(student),
    }
    rows = [_row("photos", judge, judge.among_photos(photos), None)]
    rows += [_row(name, judge, values, prompts()) for name, values in scores.items()]
    likeness = likeness_of(rows)
    return Judged(teacher, student, (likeness.learnt("teacher"), likeness.learnt("student")))


def _row(name: str, judge: Judge, values: list[float], groups: list[str] | None) -> dict[str, Any]:
    """The part of a row of metrics.json that a verdict reads."""
    row = {"name": name, judge.key: asdict(summarize(values, 0, groups))}
    return row | quartiles(values) if judge.key == "masc_identity" else row


def _untuned(rng: Random) -> list[int]:
    """Places of an untuned model's images in a pool: PER_PROMPT of each context."""
    return [
        context * POOL + at for context in range(len(CONTEXTS)) for at in rng.sample(range(POOL), PER_PROMPT)
    ]


def verdicts_as_text(runs: Sequence[Judged]) -> str:
    """Format the shares, and the answers by kind of model, in Markdown."""
    wrong = [run for run in runs if not all(run.truth)]
    seen = [run for run in runs if BLIND not in (run.teacher, run.student)]
    lines = [
        f"{len(runs)} runs of as many subjects, {len(wrong)} of them not learnt by both",
        "",
        "| Verdicts | Share (95 %) | Aim |",
        "|---|---|---|",
        *_shares("", runs),
        *_shares(f", without {BLIND}", seen),
        "",
        "| Models | Number | Said to have learnt it (95 %) | Right answer |",
        "|---|---|---|---|",
    ]
    for kind in (*LEARNT, *NOT_LEARNT):
        said = [
            answer
            for run in runs
            for of, answer in zip((run.teacher, run.student), run.said, strict=True)
            if of == kind
        ]
        if said:
            expected = "all" if kind in LEARNT else "none"
            lines.append(f"| {kind} | {len(said)} | {_percent(sum(said), len(said))} | {expected} |")
    return "\n".join(lines)


def _shares(of: str, runs: Sequence[Judged]) -> Iterator[str]:
    wrong = [run for run in runs if not all(run.truth)]
    for name, hits, count, aim in (
        ("right", sum(run.right for run in runs), len(runs), f"{AIM_RIGHT:.0%} or more"),
        ("false “learnt”", sum(run.falsely_learnt for run in wrong), len(wrong), f"{AIM_FALSE:.0%} or less"),
    ):
        yield f"| {name}{of} | {_percent(hits, count) if count else '–'} | {aim} |"


def _percent(hits: int, of: int) -> str:
    low, high = exact_interval(hits, of)
    return f"{hits / of:.1%} ({low:.1%} to {high:.1%})"
