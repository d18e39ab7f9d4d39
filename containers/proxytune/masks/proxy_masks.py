"""Masks of the proxies: the curate job stores what the segmenter finds, the student is trained with them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.names import FILES
from proxytune.contract.progress import ProgressFile, replace_file
from proxytune.contract.records import START_AGAIN
from proxytune.images.shard import Picture
from proxytune.masks.weights import Mask, tells_subject

if TYPE_CHECKING:
    from proxytune.masks.segmenter import Segmenter

# Cells along one side of a mask: a multiple of the 24, 32 and 48 tokens of Janus, LlamaGen and Lumina.
SIDE = 96
BATCH = 8
# As for the encoders' vectors: an interruption loses a few seconds.
BETWEEN_SAVES = 256


def compute_proxy_masks(
    pictures: Sequence[Picture], segmenter: Segmenter, prompt: str, folder: Path, progress: ProgressFile
) -> list[Mask | None]:
    """Find the subject in all proxies, except those whose masks an earlier job has stored.

    Args:
        pictures: identified by the hash of their PNG.
        prompt: what the segmenter looks for.
        folder: receives the file of masks.
        progress: reports how many are masked.

    Returns:
        A mask (SIDE, SIDE) for each; None where it does not tell a subject from its background.

    Raises:
        ProxytuneError: ModelNotFinite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, source = folder / FILES.proxy_masks, f"{segmenter.sha256} {prompt}"
    known = _read(file, source)
    new = [picture for picture in pictures if picture.record.sha256 not in known]
    done = len(pictures) - len(new)
    unsaved = 0
    for start in range(0, len(new), BATCH):
        batch = new[start : start + BATCH]
        masks = segmenter.find([picture.image() for picture in batch], prompt, side=SIDE)
        known |= {picture.record.sha256: mask for picture, mask in zip(batch, masks, strict=True)}
        unsaved += len(batch)
        if unsaved >= BETWEEN_SAVES or start + BATCH >= len(new):
            _write(file, source, known)
            unsaved = 0
        if progress.due():
            progress.write("masking proxies", done + start + len(batch))
    return [_usable(known[picture.record.sha256]) for picture in pictures]


def read_proxy_masks(folder: Path, pictures: Sequence[Picture]) -> list[Mask | None]:
    """Read the stored masks of some proxies; see `compute_proxy_masks`.

    Raises:
        ProxytuneError: ProxiesIncomplete when a proxy has no mask.
    """
    known = _read(folder / FILES.proxy_masks, None)
    missing = [picture.record.index for picture in pictures if picture.record.sha256 not in known]
    if missing:
        raise ProxytuneError(
            "ProxiesIncomplete",
            what=f"{len(missing)} proxies have no mask",
            given=f"{folder / FILES.proxy_masks}, without proxy {missing[0]}",
            allowed="a mask of each proxy, as the stage curate writes them",
            remedy=START_AGAIN,
        )
    return [_usable(known[picture.record.sha256]) for picture in pictures]


def mask_sha256(mask: Mask) -> str:
    """Hash a mask of a proxy."""
    return hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()


def _usable(mask: Mask) -> Mask | None:
    return mask if tells_subject(mask) else None


def _read(file: Path, source: str | None) -> dict[str, Mask]:
    """Read the masks by hash; an unusable file, or one from another segmenter or prompt, counts as empty."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            if source is not None and str(stored["source"]) != source:
                return {}
            bits = np.unpackbits(stored["masks"], axis=1, count=SIDE * SIDE).astype(bool)
            masks = bits.reshape(-1, SIDE, SIDE)
            return {str(name): mask for name, mask in zip(stored["sha256"], masks, strict=True)}
    except Exception:
        # A corrupt byte can raise anything: an unknown compression method, a missing password.
        return {}


def _write(file: Path, source: str, known: dict[str, Mask]) -> None:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        source=np.array(source),
        sha256=np.array(list(known)),
        masks=np.stack([np.packbits(mask) for mask in known.values()]),
    )
    replace_file(file, buffer.getvalue())
