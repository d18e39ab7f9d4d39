"""The scored images, and their files in the report."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from proxytune.contract.progress import replace_file
from proxytune.metrics.masc import MascScore
from proxytune.metrics.pictures import Picture

if TYPE_CHECKING:
    from proxytune.drawn_world.ground_truth.measures import Exact

# An image of at most this side is shown unchanged; scaling it down would save nothing.
EXACT = 256
# Sides of the image that opens at a click, and of the one in the page: 400 samples then take about 40 MB.
OPENED, SHOWN = 768, 320
JPEG_QUALITY = 88


@dataclass(frozen=True)
class View:
    """The files of an image in the report's folder.

    Attributes:
        file: opens at a click; relative to the report.
        shown: is displayed in the page; relative to the report, and the same file for small images.
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
class ShownPhoto:
    """A reference in the report.

    Attributes:
        view: its files.
        caption: the prompt that the teacher was trained on for it; None where it was that of all photos.
        mask: its source and the share of the photo that is subject, in words; None in a run without masks.
    """

    view: View
    caption: str | None
    mask: str | None = None


@dataclass(frozen=True)
class ScoredPicture:
    """An image with its scores and its files.

    Attributes:
        picture, view: the image and its files.
        clip_i, dino: similarity to the references.
        clip_t: to its prompt; None for a photo.
        nearest: the position of the reference nearest by DINO, and that similarity.
        diversity: 1 minus the mean DINO similarity to the other images of its row and prompt; None where
            it has no other.
        exact: where the ground truth is known.
        masc: of a run that is measured by it.
        dreamsim: similarity to the references; None where it is not measured.
    """

    picture: Picture
    view: View
    clip_i: float
    clip_t: float | None
    dino: float
    nearest: tuple[int, float]
    diversity: float | None
    exact: Exact | None = None
    masc: MascScore | None = None
    dreamsim: float | None = None

    @property
    def masc_identity(self) -> float | None:
        """MaSC of the subject's region; None also in a run without MaSC."""
        return None if self.masc is None else self.masc.identity

    @property
    def masc_prompt(self) -> float | None:
        """MaSC of the rest and the prompt; None also in a run without MaSC."""
        return None if self.masc is None else self.masc.prompt


def save_view(picture: Picture, content: bytes, opened: Image.Image, report: Path) -> View:
    """Write the report's files of an image.

    Args:
        picture: its row and index name the files.
        content: of its PNG file.
        opened: the decoded image.
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
