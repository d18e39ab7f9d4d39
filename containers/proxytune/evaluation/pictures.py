"""The pictures that are scored, and the form in which the report shows them."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from proxytune.contract.progress import replace_file
from proxytune.metrics.pictures import Picture

if TYPE_CHECKING:
    from proxytune.drawn_world.ground_truth.measures import Exact

# A picture of at most this side is shown as it is, to the pixel; scaling it down would save nothing.
EXACT = 256
# Side of what opens at a click, and of what stands in the page: 400 samples then weigh about 40 MB.
OPENED, SHOWN = 768, 320
JPEG_QUALITY = 88


@dataclass(frozen=True)
class View:
    """The files of a picture in the report's folder.

    Attributes:
        file: what opens at a click, relative to the report.
        shown: what stands in the page, relative to the report; the same file for small pictures.
        width: of `shown` in pixels.
        height: of `shown` in pixels.
        sha256: of the PNG file that was scored.
    """

    file: str
    shown: str
    width: int
    height: int
    sha256: str


@dataclass(frozen=True)
class ScoredPicture:
    """A picture with its scores and its files; `exact` where the truth about the subject is known."""

    picture: Picture
    view: View
    clip_i: float
    clip_t: float | None
    dino: float
    exact: Exact | None = None


def save_view(picture: Picture, content: bytes, opened: Image.Image, report: Path) -> View:
    """Write what the report shows of a picture.

    Args:
        picture: whose row and index name the files.
        content: its PNG file.
        opened: the same, decoded.
        report: the report's folder; files go to `pictures/<row>/` below it.
    """
    folder = Path("pictures") / picture.row
    (report / folder).mkdir(parents=True, exist_ok=True)
    name, sha256 = f"{picture.index:06d}", hashlib.sha256(content).hexdigest()
    if max(opened.size) <= EXACT:
        file = folder / f"{name}.png"
        replace_file(report / file, content)
        return View(file.as_posix(), file.as_posix(), *opened.size, sha256)
    file, shown = folder / f"{name}.jpg", folder / f"{name}.small.jpg"
    replace_file(report / file, _jpeg(opened, OPENED)[0])
    small, size = _jpeg(opened, SHOWN)
    replace_file(report / shown, small)
    return View(file.as_posix(), shown.as_posix(), *size, sha256)


def _jpeg(picture: Image.Image, side: int) -> tuple[bytes, tuple[int, int]]:
    copy = picture.convert("RGB")
    copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    copy.save(stream, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return stream.getvalue(), copy.size
