"""How the teacher developed while it was trained: its samples at every checkpoint, and the one handed on.

The stage teach measured and chose (`teacher.choosing`); here record and pictures come into the report.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, FILES
from proxytune.contract.records import read_record
from proxytune.contract.types.choice import Choice, ChoicePoint, ChoicePointPicture
from proxytune.contract.types.plan import Plan
from proxytune.evaluation.pictures import View, save_view
from proxytune.evaluation.report.curves import curve
from proxytune.metrics.pictures import Picture

CHANNEL = CHANNELS.validation
RECORD = FILES.choice
ALLOWED, REMEDY = "what the stage teach left of its samples", "run the stage teach again"
# What the report calls the folder of these pictures.
ROW = "teacher-samples"

CURVES: Mapping[Literal["fidelity", "prompt", "diversity"], tuple[str, str]] = {
    "fidelity": ("Likeness to the photos", "DINO"),
    "prompt": ("Prompt following", "CLIP-T, in contexts"),
    "diversity": ("Diversity", "1 less the likeness, DINO"),
}


@dataclass(frozen=True)
class Development:
    """The record in the form of choice.schema.json, files relative to the report, and each file's view."""

    record: Choice
    views: Mapping[str, View]


def read_development(folders: Folders, plan: Plan, report: Path) -> Development | None:
    """The development, its pictures copied into the report; None where the plan has no such channel.

    Raises:
        ProxytuneError: ChannelMissing when the channel is there and holds no usable record.
    """
    (job,) = (
        stage for stage in plan["stages"] if stage["kind"] == "training" and stage["stage"] == "evaluate"
    )
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


def _read(channel: Path) -> Choice:
    choice: Choice = read_record(channel, RECORD, "choice", channel=CHANNEL, allowed=ALLOWED, remedy=REMEDY)
    return choice


def _shown(channel: Path, sample: ChoicePointPicture, index: int, report: Path) -> View:
    try:
        content = (channel / sample["file"]).read_bytes()
        with Image.open(io.BytesIO(content)) as opened:
            picture = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise _unusable(f"its picture {sample['file']} cannot be opened: {error}") from error
    asked = Picture(ROW, index, sample["prompt"], None, sample["seed"], lambda: content)
    return save_view(asked, content, picture, report)


def curves(record: Choice) -> list[dict[str, Any]]:
    """Of each measure that was taken the curve over the steps, with its guard; see `report_curves.curve`."""
    points = record["points"]
    guards: Mapping[str, Any] = record["guards"]
    found = []
    for key, (title, what) in CURVES.items():
        values = [value for value in (point[key] for point in points) if value is not None]
        if len(values) < len(points):
            continue
        guard = guards.get(key)
        found.append(
            curve(
                title,
                what,
                [
                    (point["step"], value, _mark(point, record))
                    for point, value in zip(points, values, strict=True)
                ],
                None if guard is None else ("at least", guard),
            )
        )
    return found


def _mark(point: ChoicePoint, record: Choice) -> str:
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
