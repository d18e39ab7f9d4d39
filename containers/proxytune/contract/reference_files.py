"""The references of a subject as files: the photos, and what belongs to each under the same name."""

from __future__ import annotations

from pathlib import Path

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.names import REFERENCES


def photo_files(folder: Path) -> list[Path]:
    """List the photos in a folder and below, sorted by name.

    Args:
        folder: holds the PNGs that the inspection wrote (upright, sRGB, opaque).

    Raises:
        ProxytuneError: ChannelMissing when there is none.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() == REFERENCES.image)
    if not files:
        raise ProxytuneError(
            "ChannelMissing",
            what="The channel of references has no PNG",
            given=str(folder),
            remedy="start the run again, so that its photos are inspected again",
        )
    return files


def captions_of(folder: Path) -> list[str | None]:
    """Read the captions of the photos in a folder, in their order; raises as `photo_files`."""
    return [caption_of(photo) for photo in photo_files(folder)]


def mask_file(photo: Path) -> Path | None:
    """Return the file of the mask that the user gave for a photo, a PNG; None where there is none."""
    file = photo.with_suffix(REFERENCES.mask)
    return file if file.is_file() else None


def caption_of(photo: Path) -> str | None:
    """Read the prompt that the inspection made of a photo's caption; None for a photo without a caption."""
    file = photo.with_suffix(REFERENCES.caption)
    return (file.read_text("utf-8").strip() or None) if file.is_file() else None
