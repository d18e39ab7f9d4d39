"""The teacher's validation in the report: its images at every checkpoint, and the selected checkpoint.

The stage teach scores them and selects (`teacher.checkpoint_selection`); here its record and images are
copied into the report.
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
ALLOWED, REMEDY = "the validation images and their record by the stage teach", "run the stage teach again"
# The folder of these images in the report.
ROW = "validation"

CURVES: Mapping[Literal["fidelity", "prompt", "diversity"], tuple[str, str]] = {
    "fidelity": ("Similarity to the photos", "DINO"),
    "prompt": ("Prompt following", "CLIP-T, in contexts"),
    "diversity": ("Diversity", "1 − similarity, DINO"),
}


@dataclass(frozen=True)
class Validation:
    """The record in the form of choice.schema.json, files relative to the report, and each file's view."""

    record: Choice
    views: Mapping[str, View]


def read_validation(folders: Folders, plan: Plan, report: Path) -> Validation | None:
    """Read the validation and copy its images into the report; None where the plan has no such channel.

    Raises:
        ProxytuneError: ChannelMissing when the channel has no usable record.
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
        for image in point["pictures"]:
            view = _save_view(channel, image, len(views), report)
            image["file"] = view.file
            views[view.file] = view
    return Validation(record, views)


def _read(channel: Path) -> Choice:
    choice: Choice = read_record(channel, RECORD, "choice", channel=CHANNEL, allowed=ALLOWED, remedy=REMEDY)
    return choice


def _save_view(channel: Path, image: ChoicePointPicture, index: int, report: Path) -> View:
    try:
        content = (channel / image["file"]).read_bytes()
        with Image.open(io.BytesIO(content)) as opened:
            picture = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise _unusable(f"its image {image['file']} cannot be opened: {error}") from error
    described = Picture(ROW, index, image["prompt"], None, image["seed"], lambda: content)
    return save_view(described, content, picture, report)


def curves(record: Choice) -> list[dict[str, Any]]:
    """A curve over the steps for each available measure, with its guard; see `report.curves.curve`."""
    points = record["points"]
    guards: Mapping[str, Any] = record["guards"]
    result = []
    for key, (title, what) in CURVES.items():
        values = [value for value in (point[key] for point in points) if value is not None]
        if len(values) < len(points):
            continue
        guard = guards.get(key)
        result.append(
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
    return result


def _mark(point: ChoicePoint, record: Choice) -> str:
    if point["step"] == record["chosen"]:
        return "chosen"
    return "passed" if point["guarded"] else "failed"


def _unusable(why: str) -> ProxytuneError:
    return ProxytuneError(
        "ChannelMissing",
        what=f"The channel '{CHANNEL}' has no usable {RECORD}: {why}",
        allowed=ALLOWED,
        remedy=REMEDY,
    )
