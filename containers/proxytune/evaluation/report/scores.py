"""The score tables of the report: rows, axes, marks of floor and ceiling, as percentages of an axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxytune.contract.types.metrics import MetricsRow
from proxytune.metrics.scores import retained

MEASURES = {
    "clip_i": ("CLIP-I", "likeness to the photos"),
    "dino": ("DINO", "likeness to the photos, stricter about which individual it is"),
    "clip_t": ("CLIP-T", "faithfulness to the prompt"),
}
EXACT_MEASURES = {
    "palette": (
        "Palette distance",
        "CIEDE2000 of the colours to the true ones; less is better, 2 is hardly visible",
    ),
    "pattern": ("Pattern right", "share of pictures that wear the true pattern; more is better"),
    "shape": ("Shape", "overlap of the outline with that of the true proportions, 1 at most; more is better"),
    "category": ("Category right", "share of pictures that show the category; more is better"),
    "context": ("Context right", "share of pictures in the context that their prompt names; more is better"),
}
LABELS = {
    "photos": ("Photos", "each against the others: the ceiling"),
    "proxies": ("Proxies", "what the student learnt from"),
    "teacher": ("Teacher", "tuned on the photos"),
    "student": ("Student", "tuned on the proxies"),
    "teacher-base": ("Teacher, untuned", "floor"),
    "student-base": ("Student, untuned", "floor"),
}
# Proxies are drawn by the tuned teacher, so they share its floor.
FLOOR_OF = {"teacher": "teacher-base", "proxies": "teacher-base", "student": "student-base"}


@dataclass(frozen=True)
class Cell:
    """One score as a bar; all positions in percent of the axis."""

    mean: float
    low: float
    high: float
    zero_at: float
    mean_at: float
    low_at: float
    high_at: float
    floor_at: float | None
    ceiling_at: float | None

    @property
    def bar_from(self) -> float:
        """Left end of the bar: at zero, or at the mean where that is negative."""
        return min(self.zero_at, self.mean_at)

    @property
    def bar_width(self) -> float:
        """Width of the bar."""
        return abs(self.mean_at - self.zero_at)


def score_table(rows: Sequence[MetricsRow]) -> dict[str, Any]:
    """What the template's table needs, from the rows of metrics.json.

    Returns:
        `measures`: key, title, what, axis (low, high); `rows`: name, label, note, pictures and one Cell a
        measure, None where the row has no such score; `digits`: decimals that mean something.
    """
    return {"digits": 3, **_table(rows, {row["name"]: row for row in rows}, MEASURES, LABELS)}


def exact_table(rows: Sequence[MetricsRow]) -> dict[str, Any] | None:
    """The same for the exact measures; None where the request told no truth to measure against."""
    exact: Mapping[str, Mapping[str, Any]] = {row["name"]: row["exact"] for row in rows if "exact" in row}
    # Photos are measured like any picture here, not against each other.
    labels = LABELS | {"photos": ("Photos", "what the references score: the ceiling")}
    return {"digits": 2, **_table(rows, exact, EXACT_MEASURES, labels)} if exact else None


def _table(
    rows: Sequence[MetricsRow],
    scores: Mapping[str, Mapping[str, Any]],
    measures: Mapping[str, tuple[str, str]],
    labels: Mapping[str, tuple[str, str]],
) -> dict[str, Any]:
    pictures: Mapping[str, int] = {row["name"]: row["pictures"] for row in rows}
    axes = {
        measure: _axis([found[measure] for found in scores.values() if found[measure]])
        for measure in measures
    }
    return {
        "measures": [
            {"key": key, "title": title, "what": what, "axis": axes[key]}
            for key, (title, what) in measures.items()
        ],
        "rows": [
            {
                "name": name,
                "label": label,
                "note": note,
                "pictures": pictures[name],
                "cells": [(measure, _cell(scores, name, measure, axes[measure])) for measure in measures],
            }
            for name, (label, note) in labels.items()
            if name in scores
        ],
    }


def shares_kept(rows: Sequence[MetricsRow]) -> list[dict[str, Any]]:
    """Per measure: the share of the teacher's score that the student keeps, None where that means nothing."""
    by_name: Mapping[str, Mapping[str, Any]] = {row["name"]: row for row in rows}
    return [
        {
            "title": title,
            "share": retained(by_name["student"][key]["mean"], by_name["teacher"][key]["mean"]),
            "student": by_name["student"][key]["mean"],
            "teacher": by_name["teacher"][key]["mean"],
        }
        for key, (title, _) in MEASURES.items()
    ]


def _axis(scores: Sequence[Mapping[str, float]]) -> tuple[float, float]:
    """From zero, or from below a negative score, to the next tenth above the highest."""
    low = min([0.0, *(score["low"] for score in scores)])
    high = max([0.1, *(score["high"] for score in scores)])
    return math.floor(low * 10) / 10, math.ceil(high * 10) / 10


def _cell(
    by_name: Mapping[str, Mapping[str, Any]], name: str, measure: str, axis: tuple[float, float]
) -> Cell | None:
    score = by_name[name][measure]
    if score is None:
        return None

    def mark(row: str | None) -> float | None:
        other = by_name.get(row or "", {}).get(measure)
        return None if other is None else _at(other["mean"], axis)

    return Cell(
        **score,
        zero_at=_at(0, axis),
        mean_at=_at(score["mean"], axis),
        low_at=_at(score["low"], axis),
        high_at=_at(score["high"], axis),
        floor_at=mark(FLOOR_OF.get(name)),
        ceiling_at=None if name == "photos" else mark("photos"),
    )


def _at(value: float, axis: tuple[float, float]) -> float:
    low, high = axis
    return round((value - low) / (high - low) * 100, 2)
