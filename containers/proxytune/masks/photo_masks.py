"""Masks of the photos: the files next to them where there are any, else what the segmenter finds.

They are stored next to the checkpoints, with a record, so that a resumed job trains on the same ones and
the report can show them. A photo in which nothing is found is trained on as a whole, with a warning: weights
of zero everywhere would teach nothing, without a word.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.names import FILES
from proxytune.contract.progress import replace_file
from proxytune.contract.reference_files import mask_file, photo_files
from proxytune.images.png import encode_png
from proxytune.masks.weights import Mask, tells_subject

if TYPE_CHECKING:
    from proxytune.masks.segmenter import Segmenter

# The sources of a mask: a file of the user's, the segmenter, or none, as it says nothing.
FILE, FOUND, NONE = "file", "found", "none"
WHITE = 255


@dataclass(frozen=True)
class PhotoMask:
    """The mask of one photo.

    Attributes:
        mask: of the photo's size; None where the photo counts as a whole.
        source: `file`, `found` or `none`.
        share: of the photo that is subject; 1 where it counts as a whole.
    """

    mask: Mask | None
    source: str
    share: float

    @property
    def sha256(self) -> str | None:
        """Hash of the mask; None where there is none."""
        if self.mask is None:
            return None
        packed = np.packbits(self.mask).tobytes()
        return hashlib.sha256(f"{self.mask.shape}".encode() + packed).hexdigest()


def has_given_masks(references: Path) -> bool:
    """Return True when the user gave a mask of at least one photo.

    Raises:
        ProxytuneError: ChannelMissing when there is no photo.
    """
    return any(mask_file(photo) is not None for photo in photo_files(references))


def prepare_photo_masks(
    references: Path,
    prompt: str | None,
    segmenter: Callable[[], Segmenter],
    stored: Path,
) -> None:
    """Fill the folder `stored` with the masks of all photos, unless an earlier attempt has.

    Args:
        references: the photos and given masks, as the inspection wrote them.
        prompt: what the segmenter looks for in photos without a given mask; None leaves them unmasked.
        segmenter: loads the model that finds it, where it is needed.

    Raises:
        ProxytuneError: MaskInvalid for a file that is not a mask of its photo; ChannelMissing, ModelMismatch,
            ModelNotFinite of the segmenter.
    """
    files = photo_files(references)
    masks = _given(files)
    missing = [file for file in files if file.name not in masks]
    model = segmenter() if prompt is not None and missing else None
    identity = {
        "prompt": None if model is None else prompt,
        "segmenter": None if model is None else model.sha256,
        "photos": [hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
        "given": {name: mask.sha256 for name, mask in masks.items()},
    }
    if _identity(stored) == identity:
        return
    if model is not None and prompt is not None:
        masks |= _found(model, prompt, missing)
    _write(stored, identity, {file.name: masks.get(file.name, _whole()) for file in files})


def read_photo_masks(stored: Path) -> list[PhotoMask]:
    """Read the masks in the order of the photos; none where the folder holds none."""
    record = read_record(stored)
    if record is None:
        return []
    masks = []
    for entry in record["masks"]:
        mask = None
        if entry["source"] != NONE:
            with Image.open(stored / entry["file"]) as opened:
                mask = np.asarray(opened.convert("L")) >= (WHITE + 1) // 2
        masks.append(PhotoMask(mask, entry["source"], entry["share"]))
    return masks


def masks_of(references: Path, stored: Path | None) -> list[PhotoMask]:
    """Read the masks that the teacher was trained with, in the order of the photos; none where it had none.

    Args:
        references: the photos and given masks, as the inspection wrote them.
        stored: those of the teach job; None in a run whose masks are all given.
    """
    if stored is not None:
        return read_photo_masks(stored)
    files = photo_files(references)
    given = _given(files)
    return [given.get(file.name, _whole()) for file in files] if given else []


def read_record(stored: Path) -> Mapping[str, Any] | None:
    """Read the record; None where it is missing or was restored incomplete."""
    try:
        record: Mapping[str, Any] = json.loads((stored / FILES.masks).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    complete = all(
        entry["source"] == NONE or _sha256(stored / entry["file"]) == entry["sha256"]
        for entry in record["masks"]
    )
    return record if complete else None


def describe(masks: Sequence[PhotoMask]) -> list[str]:
    """Lines for the log: what is known of each mask, and a warning where there is none."""
    return [
        f"{'warning: ' if mask.source == NONE else ''}photo {number}: {mask_words(mask)}"
        for number, mask in enumerate(masks)
    ]


def mask_words(mask: PhotoMask) -> str:
    """Say where a mask comes from and how much of the photo is subject."""
    if mask.source == NONE:
        return "no mask tells the subject from its background; all of the photo was learned"
    return f"{'given' if mask.source == FILE else 'found'} mask, subject {mask.share:.0%}"


def _given(photos: Sequence[Path]) -> dict[str, PhotoMask]:
    files = {photo: mask_file(photo) for photo in photos}
    return {photo.name: _read(file, photo) for photo, file in files.items() if file is not None}


def _read(file: Path, photo: Path) -> PhotoMask:
    """Read a mask that was inspected; it is checked again, as a bucket can be written to."""
    try:
        with Image.open(file) as opened:
            mask = np.asarray(opened.convert("L")) >= (WHITE + 1) // 2
        with Image.open(photo) as opened:
            size = (opened.height, opened.width)
    except (OSError, SyntaxError, ValueError) as error:
        raise _invalid(f"The mask of a photo cannot be opened: {error}", file.name) from error
    if mask.shape != size:
        raise _invalid(
            "The mask of a photo has another size than the photo",
            f"{file.name}: {mask.shape[1]} x {mask.shape[0]} pixels",
            f"{size[1]} x {size[0]} pixels",
        )
    if not mask.any() or mask.all():
        raise _invalid(
            f"The mask of a photo is {'all white' if mask.any() else 'all black'}",
            file.name,
            "white for the subject, black for everything else, and some of both",
        )
    return PhotoMask(mask, FILE, float(mask.mean()))


def _found(segmenter: Segmenter, prompt: str, files: Sequence[Path]) -> dict[str, PhotoMask]:
    found = {}
    for file in files:
        with Image.open(file) as opened:
            (mask,) = segmenter.find([opened.convert("RGB")], prompt)
        usable = tells_subject(mask)
        found[file.name] = PhotoMask(mask, FOUND, float(mask.mean())) if usable else _whole()
    return found


def _whole() -> PhotoMask:
    return PhotoMask(None, NONE, 1.0)


def _identity(stored: Path) -> Any:
    record = read_record(stored)
    return None if record is None else record["identity"]


def _write(stored: Path, identity: Mapping[str, Any], masks: Mapping[str, PhotoMask]) -> None:
    stored.mkdir(parents=True, exist_ok=True)
    entries = []
    for name, mask in masks.items():
        entry = {"file": name, "source": mask.source, "share": round(mask.share, 6)}
        if mask.mask is not None:
            content = encode_png(Image.fromarray(np.where(mask.mask, np.uint8(WHITE), np.uint8(0))))
            replace_file(stored / name, content)
            entry["sha256"] = hashlib.sha256(content).hexdigest()
        entries.append(entry)
    record = {"version": 1, "identity": identity, "masks": entries}
    # Last: the masks are complete once this is there.
    replace_file(stored / FILES.masks, (json.dumps(record, indent=1) + "\n").encode("utf-8"))


def _sha256(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def _invalid(what: str, given: str, allowed: str = "a PNG of the photo's size") -> ProxytuneError:
    return ProxytuneError(
        "MaskInvalid",
        what=what,
        given=given,
        allowed=allowed,
        remedy="correct the mask next to the photo, then upload subject.json again",
    )
