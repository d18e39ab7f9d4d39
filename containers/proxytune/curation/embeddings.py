"""The encoders' vectors of proxies, kept in the checkpoint folder: later jobs compute only what is new."""

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
# As many pictures are lost at most when a spot instance is taken, some seconds of a GPU.
BETWEEN_SAVES = 512


@dataclass(frozen=True)
class Measured:
    """Unit vectors of pictures, in their order: `clip` (N, C) and `dino` (N, D)."""

    clip: Vectors
    dino: Vectors


def measure(
    pictures: Sequence[Picture], clip: ClipEncoder, dino: DinoEncoder, folder: Path, progress: ProgressFile
) -> Measured:
    """The vectors of pictures, each from the file in `folder` when an earlier job has computed it.

    Args:
        pictures: in the order of the result; told apart by the hash of their PNG.
        folder: of checkpoints; gets `vectors.npz`.
        progress: told how many of the pictures are measured.
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
    return Measured(np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows]))


def _read(file: Path, evaluator: str) -> dict[str, tuple[Vectors, Vectors]]:
    """By hash; empty where there is no usable file of these encoders, as everything can be computed anew."""
    try:
        with np.load(file, allow_pickle=False) as held:
            if str(held["evaluator"]) != evaluator:
                return {}
            if not all(np.isfinite(held[name]).all() for name in ("clip", "dino")):
                return {}
            both = zip(held["clip"], held["dino"], strict=True)
            return {str(name): vectors for name, vectors in zip(held["sha256"], both, strict=True)}
    except Exception:
        # A spoilt byte ends in whatever it stands for: a packing that nobody knows, a password.
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
