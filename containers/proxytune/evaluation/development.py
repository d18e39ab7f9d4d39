"""How the teacher developed while it was trained: its samples at every checkpoint, and the one handed on.

The stage teach measured and chose (`teacher.choosing`); here record and pictures come into the report.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders

from .pictures import Picture, View, save_view

CHANNEL = "teach-samples"
RECORD = "choice.json"
# What the report calls the folder of these pictures.
ROW = "teacher-samples"

# Of each curve in the page, in the units of its SVG; points keep a distance from the edges.
WIDTH, HEIGHT, EDGE = 320, 96, 8
CURVES = {
    "fidelity": ("Likeness to the photos", "DINO"),
    "prompt": ("Prompt following", "CLIP-T, in contexts"),
    "diversity": ("Diversity", "1 less the likeness to each other, DINO"),
}


@dataclass(frozen=True)
class Development:
    """The record in the form of choice.schema.json, files relative to the report, and each file's view."""

    record: dict[str, Any]
    views: Mapping[str, View]


def read_development(folders: Folders, plan: Mapping[str, Any], report: Path) -> Development | None:
    """The development, its pictures copied into the report; None where the plan has no such channel.

    Raises:
        ProxytuneError: ChannelMissing when the channel is there and holds no usable record.
    """
    (job,) = (stage for stage in plan["stages"] if stage["stage"] == "evaluate")
    if CHANNEL not in job["channels"]:
        return None
    channel = folders.channel(CHANNEL)
    record = _read(channel)
    views: dict[str, View] = {}
    for point in record["points"]:
        for sample in point["pictures"]:
            view = _shown(channel, sample, len(views), report)
            sample["file"] = view.file
            views[view.file] = view
    return Development(record, views)


def _read(channel: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((channel / RECORD).read_text("utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise _unusable(f"it cannot be read: {error}") from error
    wrong = schema.check("choice", record)
    if wrong is not None:
        raise _unusable(f"it does not fit its schema: {wrong}")
    return record


def _shown(channel: Path, sample: Mapping[str, Any], index: int, report: Path) -> View:
    try:
        content = (channel / sample["file"]).read_bytes()
        with Image.open(io.BytesIO(content)) as opened:
            picture = opened.convert("RGB")
    except OSError as error:
        raise _unusable(f"its picture {sample['file']} cannot be opened: {error}") from error
    asked = Picture(ROW, index, sample["prompt"], None, sample["seed"], lambda: content)
    return save_view(asked, content, picture, report)


def curves(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each measure that was taken the curve over the steps: its points, its guard, its scale.

    Returns:
        `title`, `what`, `low` and `high` (ends of the scale), `line` (points of an SVG polyline), `points`
        (x, y, step, value, chosen, guarded), `guard` (its y and value, or None).
    """
    points = record["points"]
    found = []
    for key, (title, what) in CURVES.items():
        values = [point[key] for point in points]
        if None in values:
            continue
        guard = record["guards"].get(key)
        low, high = _scale([*values, *([] if guard is None else [guard])])
        places = [
            {
                "x": _along(point["step"], points[-1]["step"]),
                "y": _up(point[key], low, high),
                "step": point["step"],
                "value": point[key],
                "chosen": point["step"] == record["chosen"],
                "guarded": point["guarded"],
            }
            for point in points
        ]
        found.append(
            {
                "title": title,
                "what": what,
                "low": low,
                "high": high,
                "line": " ".join(f"{place['x']},{place['y']}" for place in places),
                "points": places,
                "guard": None if guard is None else {"y": _up(guard, low, high), "value": guard},
            }
        )
    return found


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """A little more than what is shown, so that no curve runs along an edge."""
    low, high = min(values), max(values)
    room = max(0.02, (high - low) * 0.1)
    return round(low - room, 2), round(high + room, 2)


def _along(step: int, last: int) -> float:
    return round(EDGE + (WIDTH - 2 * EDGE) * step / max(1, last), 1)


def _up(value: float, low: float, high: float) -> float:
    return round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (value - low) / (high - low), 1)


def _unusable(why: str) -> ProxytuneError:
    return ProxytuneError(
        "ChannelMissing",
        what=f"The channel '{CHANNEL}' holds no usable {RECORD}; {why}",
        allowed="what the stage teach left of its samples",
        remedy="run the stage teach again",
    )
