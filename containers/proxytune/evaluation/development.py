"""How the teacher developed while it was trained: its samples at every checkpoint, and the one handed on.

The stage teach measured and chose (`teacher.choosing`); here record and pictures come into the report.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, FILES
from proxytune.contract.records import read_record
from proxytune.evaluation.pictures import View, save_view
from proxytune.evaluation.report.curves import curve
from proxytune.metrics.pictures import Picture

CHANNEL = CHANNELS.validation
RECORD = FILES.choice
ALLOWED, REMEDY = "what the stage teach left of its samples", "run the stage teach again"
# What the report calls the folder of these pictures.
ROW = "teacher-samples"

CURVES = {
    "fidelity": ("Likeness to the photos", "DINO"),
    "prompt": ("Prompt following", "CLIP-T, in contexts"),
    "diversity": ("Diversity", "1 less the likeness, DINO"),
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
    return read_record(channel, RECORD, "choice", channel=CHANNEL, allowed=ALLOWED, remedy=REMEDY)


def _shown(channel: Path, sample: Mapping[str, Any], index: int, report: Path) -> View:
    try:
        content = (channel / sample["file"]).read_bytes()
        with Image.open(io.BytesIO(content)) as opened:
            picture = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise _unusable(f"its picture {sample['file']} cannot be opened: {error}") from error
    asked = Picture(ROW, index, sample["prompt"], None, sample["seed"], lambda: content)
    return save_view(asked, content, picture, report)


def curves(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each measure that was taken the curve over the steps, with its guard; see `report_curves.curve`."""
    points = record["points"]
    found = []
    for key, (title, what) in CURVES.items():
        if any(point[key] is None for point in points):
            continue
        guard = record["guards"].get(key)
        found.append(
            curve(
                title,
                what,
                [(point["step"], point[key], _mark(point, record)) for point in points],
                None if guard is None else ("at least", guard),
            )
        )
    return found


def _mark(point: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    if point["step"] == record["chosen"]:
        return "chosen"
    return "held" if point["guarded"] else "failed"


def _unusable(why: str) -> ProxytuneError:
    return ProxytuneError(
        "ChannelMissing",
        what=f"The channel '{CHANNEL}' holds no usable {RECORD}; {why}",
        allowed=ALLOWED,
        remedy=REMEDY,
    )
