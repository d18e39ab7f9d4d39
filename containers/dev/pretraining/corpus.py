"""The pictures to learn from: drawn once, two of each appearance, kept in files and read from there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dev.pretraining.settings import CHUNK, Settings
from proxytune.drawn_world.appearance import CATEGORIES, PATTERNS, sample_appearance
from proxytune.drawn_world.render import SIZE, render
from proxytune.drawn_world.scene import CONTEXTS, sample_pose

# Pictures of one appearance: the second shows the encoders what stays the same.
VIEWS = 2
Job = tuple[Path, int, int, int]


@dataclass(frozen=True)
class Corpus:
    """N pictures; pictures 2i and 2i + 1 show one appearance.

    Attributes:
        pixels: (N, 32, 32, 3) uint8, read from the file as needed.
        category, pattern, context: (N,) numbers in the domain's lists.
        colours: (N, 3, 3) uint8: body, mark, trim.
        training: how many of the first pictures are trained on; the others are held out.
    """

    pixels: npt.NDArray[np.uint8]
    category: npt.NDArray[np.uint8]
    pattern: npt.NDArray[np.uint8]
    context: npt.NDArray[np.uint8]
    colours: npt.NDArray[np.uint8]
    training: int

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def held_out(self) -> Tensor:
        """Numbers of the pictures that are not trained on."""
        return torch.arange(self.training, len(self))

    def pictures(self, numbers: Tensor) -> Tensor:
        """Pictures as (n, 3, 32, 32) in [-1, 1], channels last in memory, which convolutions prefer."""
        rows = torch.from_numpy(self.pixels[numbers.numpy()]).permute(0, 3, 1, 2)
        return (rows.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """Numbers of `count` pictures to train on, at random."""
        return torch.randint(self.training, (count,), generator=rng)


def draw_corpus(folder: Path, settings: Settings, processes: int = 1) -> None:
    """Draw what is missing; chunks that are there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, settings.pictures, CHUNK)
    jobs: list[Job] = [
        (folder / f"chunk-{start:08d}.npz", settings.seed, start, min(CHUNK, settings.pictures - start))
        for start in starts
    ]
    missing = [job for job in jobs if not job[0].exists()]
    if processes > 1 and len(missing) > 1:
        with get_context("spawn").Pool(processes) as pool:
            pool.map(_draw_chunk, missing, chunksize=1)
    else:
        for job in missing:
            _draw_chunk(job)
    joined = folder / "pixels.npy"
    if not joined.exists():
        parts = [np.load(job[0])["pixels"] for job in jobs]
        _replace(joined, np.concatenate(parts))


def open_corpus(folder: Path, settings: Settings) -> Corpus:
    """Read a corpus that `draw_corpus` wrote."""
    chunks = [np.load(path) for path in sorted(folder.glob("chunk-*.npz"))]
    facts = {
        name: np.concatenate([chunk[name] for chunk in chunks])
        for name in ("category", "pattern", "context", "colours")
    }
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    return Corpus(pixels=pixels, training=len(pixels) - settings.held_out, **facts)


def draw_held_out(settings: Settings) -> Corpus:
    """The held-out pictures alone, as they are at the end of the complete corpus."""
    first = settings.pictures - settings.held_out
    start = first // CHUNK * CHUNK
    pixels, columns = _drawn(settings.seed, start, settings.pictures - start)
    kept = {name: values[first - start :] for name, values in columns.items()}
    return Corpus(pixels=pixels[first - start :], training=0, **kept)


def _draw_chunk(job: Job) -> None:
    path, seed, start, count = job
    pixels, columns = _drawn(seed, start, count)
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    with scratch.open("wb") as file:
        np.savez(file, pixels=pixels, **columns)
    scratch.replace(path)


def _drawn(seed: int, start: int, count: int) -> tuple[npt.NDArray[np.uint8], dict[str, Any]]:
    rng = Random(f"corpus {seed} {start}")
    pixels = np.empty((count, SIZE, SIZE, 3), np.uint8)
    rows = []
    for number in range(0, count, VIEWS):
        look = sample_appearance(rng)
        for view in range(number, min(number + VIEWS, count)):
            picture = render(look, sample_pose(rng))
            pixels[view] = picture.pixels
            rows.append((look, picture.pose))
    facts = {
        "category": [CATEGORIES.index(look.category) for look, _ in rows],
        "pattern": [PATTERNS.index(look.pattern) for look, _ in rows],
        "context": [CONTEXTS.index(pose.context) for _, pose in rows],
        "colours": [(look.body, look.mark, look.trim) for look, _ in rows],
    }
    return pixels, {name: np.asarray(values, np.uint8) for name, values in facts.items()}


def _replace(path: Path, values: npt.NDArray[np.uint8]) -> None:
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    with scratch.open("wb") as file:
        np.save(file, values)
    scratch.replace(path)
