"""The table of the audit: per measure, agreement with the truth and detection of each defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from dev.audit.defects import AuditSubject
from dev.audit.measures import IDENTITY, PROMPT, Floats, Measures
from dev.audit.ranks import detection, interval_over_subjects, rank_correlation

GRADED = ("hue", "mark", "displaced", "blur")
"""Defects of several sizes."""
WHOLE = ("pattern", "trim", "wrong-context", "no-context")
"""Defects that are there or not."""


@dataclass(frozen=True)
class Images:
    """All images of the audit in one order: their subjects, kinds, damages, and what each measure says."""

    subject: npt.NDArray[np.intp]
    kind: npt.NDArray[np.str_]
    damage: Floats
    said: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.subject)


@dataclass(frozen=True)
class Row:
    """Knowledge of one measure.

    Attributes:
        measure: its name.
        agreement: rank correlation of the measure with the negated true damage, and its 95 % interval over
            subjects; None for a measure of the prompt.
        graded: the same within one kind of defect and the clean images.
        detected: how often a clean image scores above one with the defect; 0.5 is chance. A measure of the
            subject should be at 0.5 where only the context is wrong.
    """

    measure: str
    agreement: tuple[float, float, float] | None
    graded: dict[str, float]
    detected: dict[str, float]


def measured(subjects: Sequence[AuditSubject], measures: Measures) -> Images:
    """Measure all images."""
    said = [measures.of(subject) for subject in subjects]
    return Images(
        np.concatenate([[number] * len(one.planted) for number, one in enumerate(subjects)]).astype(np.intp),
        np.array([planted.kind for one in subjects for planted in one.planted]),
        np.array([planted.damage for one in subjects for planted in one.planted]),
        {name: np.concatenate([one[name] for one in said]) for name in said[0]},
    )


def audit_rows(images: Images) -> list[Row]:
    """Compute the rows of the table."""
    return [_row(images, name) for name in (*IDENTITY, *PROMPT)]


def _row(images: Images, name: str) -> Row:
    values, clean = images.said[name], images.kind == "none"
    identity = name in IDENTITY

    def agreement(where: npt.NDArray[np.intp]) -> float:
        return rank_correlation(values[where], -images.damage[where])

    def of(kind: str) -> npt.NDArray[np.intp]:
        return np.flatnonzero(clean | (images.kind == kind))

    everything = np.arange(len(images))
    return Row(
        name,
        (agreement(everything), *interval_over_subjects(images.subject.tolist(), agreement))
        if identity
        else None,
        {kind: agreement(of(kind)) for kind in GRADED} if identity else {},
        {kind: detection(values[clean], values[images.kind == kind]) for kind in WHOLE},
    )


def as_text(rows: Sequence[Row], images: Images) -> str:
    """Format the table in Markdown."""
    heads = ["Measure", "Agreement (95 %)", *GRADED, *(f"{kind} detected" for kind in WHOLE)]
    lines = [
        f"{len(images)} images of {len(set(images.subject.tolist()))} subjects",
        "",
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
    ]
    number = partial("{:.2f}".format)
    for row in rows:
        whole = "–" if row.agreement is None else "{:.2f} ({:.2f} to {:.2f})".format(*row.agreement)
        graded = [number(row.graded[kind]) if row.graded else "–" for kind in GRADED]
        cells = [row.measure, whole, *graded, *(number(row.detected[kind]) for kind in WHOLE)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
