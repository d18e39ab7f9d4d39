"""A subject as the folder that a user would have: photos and subject.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from proxytune.miniature.world.subjects import Subject

# Side of an exported photo; inspection warns below 512 (lib/core/photo-limits.ts).
PHOTO_SIDE = 512


def export_subject(subject: Subject, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
    """Write `photos/*.png` and `subject.json`; files of those names are replaced.

    Pixels are enlarged as squares, so that shrinking the photo gives the picture back.

    Args:
        settings: fields of the request beside `category` and `consent`, such as `preset`.
    """
    photos = folder / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(subject.references(), start=1):
        small = Image.fromarray(picture.pixels)
        small.resize((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.NEAREST).save(photos / f"{number}.png")
    request = {"category": subject.category, **(settings or {}), "consent": True}
    (folder / "subject.json").write_text(json.dumps(request, indent=2) + "\n", "utf-8")
