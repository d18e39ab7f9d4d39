"""A curve of the report as numbers for its SVG: points in units of the view box, axes, guard line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# Of the view box in templates/curve.html; points keep this distance from the edges.
WIDTH, HEIGHT, EDGE = 320, 96, 8
LEFT = 38
"""Width of the labels of the vertical axis."""


def curve(
    title: str,
    what: str,
    points: Sequence[tuple[int, float, str]],
    guard: tuple[str, float] | None = None,
    *,
    dense: bool = False,
) -> dict[str, Any]:
    """Compute the input of the macro `figure` in templates/curve.html.

    Args:
        title: of the curve.
        what: the measure, in a few words.
        points: at least one (x, value, mark), sorted by x; a mark is `chosen`, `passed` or `failed`.
        guard: a limit of the values: its word (`at least`) and its value.
        dense: True for points that are too many to see apart: the line alone is shown.

    Returns:
        `title`, `what`, `low` and `high` (ends of the scale), `line` (points of an SVG polyline), `points`
        (x, y, at, value, mark), `guard` (y, word, value; or None), `dense`.
    """
    low, high = _scale([value for _, value, _ in points] + ([] if guard is None else [guard[1]]))
    places = [
        {
            "x": round(LEFT + (WIDTH - LEFT - EDGE) * at / max(1, points[-1][0]), 1),
            "y": _up(value, low, high),
            "at": at,
            "value": value,
            "mark": mark,
        }
        for at, value, mark in points
    ]
    return {
        "title": title,
        "what": what,
        "low": low,
        "high": high,
        "line": " ".join(f"{place['x']},{place['y']}" for place in places),
        "points": places,
        "dense": dense,
        "guard": None
        if guard is None
        else {"y": _up(guard[1], low, high), "word": guard[0], "value": guard[1]},
    }


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """The scale: a little more than the range of the values, so that no curve runs along an edge."""
    low, high = min(values), max(values)
    margin = max(0.02, (high - low) * 0.1)
    return round(low - margin, 2), round(high + margin, 2)


def _up(value: float, low: float, high: float) -> float:
    return round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (value - low) / (high - low), 1)
