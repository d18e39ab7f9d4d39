"""A subject as the folder that a user would have: photos and subject.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from dev.drawn_subjects.subjects import Subject
from proxytune.drawn_world.appearance import Appearance

# Side of an exported photo; inspection warns below 512 (lib/core/photos/limits.ts).
PHOTO_SIDE = 512
# The request for any subject of the drawn domain. The references show two contexts only, and a student of
# proxies that name none knows the subject in those two best: with half of them naming one, its score of
# subject and prompt together rose from .58 to .88 where no reference shows the context (a trial, 5 subjects).
REQUEST: dict[str, Any] = {
    "teacher": "sdxl-miniature",
    "student": "llamagen-miniature",
    "proxies": 150,
    "proxyContexts": 0.5,
}


def ground_truth_of(appearance: Appearance) -> dict[str, Any]:
    """Return an appearance as `truth` of a request, without the category, which the request has anyway."""
    fields = asdict(appearance)
    del fields["category"]
    return fields


def export_subject(subject: Subject, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
    """Write `photos/*.png` and `subject.json`; files of those names are replaced.

    Pixels are enlarged as squares, so that shrinking the photo gives the picture back. The request has the
    subject's ground truth, so that the report can measure pictures against it.

    Args:
        settings: fields of the request that replace those of REQUEST or are added, such as `preset`.
    """
    photos = folder / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(subject.references(), start=1):
        small = Image.fromarray(picture.pixels)
        small.resize((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.NEAREST).save(photos / f"{number}.png")
    request = {
        "category": subject.category,
        **REQUEST,
        **(settings or {}),
        "truth": ground_truth_of(subject.appearance),
        "consent": True,
    }
    (folder / "subject.json").write_text(json.dumps(request, indent=2) + "\n", "utf-8")
