"""The images that are scored: the facts about each, and their pixels."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.reference_files import photo_files


@dataclass(frozen=True)
class Picture:
    """An image before it is scored.

    Attributes:
        row: photos, proxies, teacher, student, teacher-base or student-base.
        index: its number within the row.
        prompt: that it was generated from; None for a photo.
        plain: the prompt without the token word, for CLIP-T; None for a photo.
        seed: that it was generated with; None for a photo.
        read: reads the bytes of its PNG file; they are not kept, as there may be gigabytes of them.
    """

    row: str
    index: int
    prompt: str | None
    plain: str | None
    seed: int | None
    read: Callable[[], bytes]


def references(channel: Path) -> list[Picture]:
    """List the photos, sorted by name.

    Raises:
        ProxytuneError: ChannelMissing when there is no PNG.
    """
    files = photo_files(channel)
    return [Picture("photos", index, None, None, None, file.read_bytes) for index, file in enumerate(files)]


def open_picture(picture: Picture, content: bytes) -> Image.Image:
    """Decode an image as RGB.

    Raises:
        ProxytuneError: when it is not an image: ChannelMissing for a photo, ShardInvalid for any other.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            return opened.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise ProxytuneError(
            "ChannelMissing" if picture.row == "photos" else "ShardInvalid",
            what=f"An image cannot be opened: {error}",
            given=f"row {picture.row}, index {picture.index}",
            remedy="run the stage that wrote it again",
        ) from error
