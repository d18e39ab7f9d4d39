"""The pictures that are measured: what is known of each, and their decoded form."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from proxytune.contract.errors import ProxytuneError


@dataclass(frozen=True)
class Picture:
    """A picture before it is scored.

    Attributes:
        row: photos, proxies, teacher, student, teacher-base or student-base.
        index: its number within the row.
        prompt: what it was drawn from; None for a photo.
        plain: the prompt without the token word, which CLIP-T compares with; None for a photo.
        seed: of its drawing; None for a photo.
        read: gives the bytes of its PNG file; they are not kept, as there may be gigabytes of them.
    """

    row: str
    index: int
    prompt: str | None
    plain: str | None
    seed: int | None
    read: Callable[[], bytes]


def references(channel: Path) -> list[Picture]:
    """The photos by name.

    Raises:
        ProxytuneError: ChannelMissing when there is no PNG.
    """
    files = sorted(path for path in channel.rglob("*") if path.suffix.lower() == ".png")
    if not files:
        raise ProxytuneError(
            "ChannelMissing",
            what="The channel 'references' holds no PNG",
            given=str(channel),
            remedy="let the inspection write the references again",
        )
    return [Picture("photos", index, None, None, None, file.read_bytes) for index, file in enumerate(files)]


def open_picture(picture: Picture, content: bytes) -> Image.Image:
    """The decoded picture, RGB.

    Raises:
        ProxytuneError: ChannelMissing for a photo, ShardInvalid for any other that is no picture.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            return opened.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise ProxytuneError(
            "ChannelMissing" if picture.row == "photos" else "ShardInvalid",
            what=f"A picture cannot be opened: {error}",
            given=f"row {picture.row}, index {picture.index}",
            remedy="run the stage that made it again",
        ) from error
