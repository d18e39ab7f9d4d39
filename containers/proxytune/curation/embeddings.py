"""The encoders' vectors of proxies, stored in the checkpoint folder: later jobs encode only new images."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from proxytune.contract.progress import ProgressFile, replace_file
from proxytune.images.shard import Picture
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder, Vectors

FILE = "vectors.npz"
BATCH = 32
# An interruption of a spot instance loses at most this many images: a few seconds of GPU time.
BETWEEN_SAVES = 512


@dataclass(frozen=True)
class Embeddings:
    """Unit vectors of images, in order: `clip` (N, C) and `dino` (N, D)."""

    clip: Vectors
    dino: Vectors


def compute_embeddings(
    pictures: Sequence[Picture], clip: ClipEncoder, dino: DinoEncoder, folder: Path, progress: ProgressFile
) -> Embeddings:
    """Encode images, except those whose vectors an earlier job has stored.

    Args:
        pictures: in the order of the result; identified by the hash of their PNG.
        folder: the checkpoint folder, with `vectors.npz`.
        progress: reports how many of the images are encoded.
    """
    evaluator = f"{clip.sha256} {dino.sha256}"
    known = _read(folder / FILE, evaluator)
    new = [picture for picture in pictures if picture.record.sha256 not in known]
    done = len(pictures) - len(new)
    unsaved = 0
    for start in range(0, len(new), BATCH):
        batch = new[start : start + BATCH]
        images = [picture.image() for picture in batch]
        both = zip(clip.pictures(images, BATCH), dino.pictures(images, BATCH), strict=True)
        known |= {picture.record.sha256: vectors for picture, vectors in zip(batch, both, strict=True)}
        unsaved += len(batch)
        if unsaved >= BETWEEN_SAVES or start + BATCH >= len(new):
            _write(folder / FILE, evaluator, known)
            unsaved = 0
        if progress.due():
            progress.write("measuring proxies", done + start + len(batch))
    rows = [known[picture.record.sha256] for picture in pictures]
    return Embeddings(np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows]))


def _read(file: Path, evaluator: str) -> dict[str, tuple[Vectors, Vectors]]:
    """Read the vectors by hash; an unusable file, or one of other encoders, counts as empty."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            if str(stored["evaluator"]) != evaluator:
                return {}
            if not all(np.isfinite(stored[name]).all() for name in ("clip", "dino")):
                return {}
            both = zip(stored["clip"], stored["dino"], strict=True)
            return {str(name): vectors for name, vectors in zip(stored["sha256"], both, strict=True)}
    except Exception:
        # A corrupt byte can raise anything: an unknown compression method, a missing password.
        return {}


def _write(file: Path, evaluator: str, known: dict[str, tuple[Vectors, Vectors]]) -> None:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        evaluator=np.array(evaluator),
        sha256=np.array(list(known)),
        clip=np.stack([clip for clip, _ in known.values()]),
        dino=np.stack([dino for _, dino in known.values()]),
    )
    replace_file(file, buffer.getvalue())
