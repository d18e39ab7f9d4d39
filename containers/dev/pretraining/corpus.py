"""The pictures to learn from: drawn once, four of each appearance, kept in files and read from there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
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

# Pictures of one appearance: the encoders learn from the others what stays the same, and the teacher takes
# them as references.
VIEWS = 4
# The context that is sampled twice as often as each other: dark backgrounds are the hardest to learn.
HARDEST = CONTEXTS.index("at night")
# Mask levels from here on count as object.
_COVERED = 128
# What is kept in files of its own and read as needed.
_LARGE = ("pixels", "masks")
Job = tuple[Path, int, int, int]


@dataclass(frozen=True)
class Corpus:
    """N pictures; pictures 4i to 4i + 3 show one appearance.

    Attributes:
        pixels: (N, 32, 32, 3) uint8, read from the file as needed.
        masks: (N, 32, 32) uint8, 1 where the object covers at least half of the pixel, read as needed.
        category, pattern, context: (N,) numbers in the domain's lists.
        colours: (N, 3, 3) uint8: body, mark, trim.
        training: how many of the first pictures are trained on; the others are held out.
    """

    pixels: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]
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

    def normalised(self, numbers: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
        """Pictures as an encoder with this mean and deviation of each colour sees them: (n, 3, 32, 32)."""
        centre, spread = (torch.tensor(values).view(3, 1, 1) for values in (mean, std))
        return ((self.pictures(numbers).contiguous() + 1) / 2 - centre) / spread

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """Numbers of `count` pictures to train on, at random; the hardest context comes twice as often."""
        return self._pool[torch.randint(len(self._pool), (count,), generator=rng)]

    @cached_property
    def _pool(self) -> Tensor:
        """Numbers to sample from, each as often as it counts."""
        numbers = torch.arange(self.training)
        return torch.cat([numbers, numbers[torch.from_numpy(self.context[: self.training] == HARDEST)]])

    def two_views(self, first: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Numbers of two different pictures of each appearance, at random: (n,) each.

        Args:
            first: (n,) numbers of the first picture of each appearance.
        """
        one = first + torch.randint(VIEWS, first.shape, generator=rng)
        chosen = torch.randint(VIEWS - 1, (len(first), 1), generator=rng)
        return one, self.others(one).gather(1, chosen)[:, 0]

    def others(self, numbers: Tensor) -> Tensor:
        """Numbers of the other pictures of each appearance: (n, VIEWS - 1)."""
        first = numbers - numbers % VIEWS
        return first[:, None] + (numbers[:, None] + torch.arange(1, VIEWS)) % VIEWS


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
    for name in _LARGE:
        joined = folder / f"{name}.npy"
        if not joined.exists():
            _replace(joined, np.concatenate([np.load(job[0])[name] for job in jobs]))


def open_corpus(folder: Path, settings: Settings) -> Corpus:
    """Read a corpus that `draw_corpus` wrote."""
    chunks = [np.load(path) for path in sorted(folder.glob("chunk-*.npz"))]
    facts = {
        name: np.concatenate([chunk[name] for chunk in chunks])
        for name in ("category", "pattern", "context", "colours")
    }
    large = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _LARGE}
    return Corpus(**large, training=len(large["pixels"]) - settings.held_out, **facts)


def draw_held_out(settings: Settings) -> Corpus:
    """The held-out pictures alone, as they are at the end of the complete corpus."""
    first = settings.pictures - settings.held_out
    start = first // CHUNK * CHUNK
    columns = _drawn(settings.seed, start, settings.pictures - start)
    return Corpus(training=0, **{name: values[first - start :] for name, values in columns.items()})


def _draw_chunk(job: Job) -> None:
    path, seed, start, count = job
    columns = _drawn(seed, start, count)
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    with scratch.open("wb") as file:
        np.savez(file, **columns)
    scratch.replace(path)


def _drawn(seed: int, start: int, count: int) -> dict[str, Any]:
    """Draw one chunk; the return value has a column for each field of `Corpus`."""
    rng = Random(f"corpus {seed} {start}")
    pixels = np.empty((count, SIZE, SIZE, 3), np.uint8)
    masks = np.empty((count, SIZE, SIZE), np.uint8)
    rows = []
    for number in range(0, count, VIEWS):
        look = sample_appearance(rng)
        for view in range(number, min(number + VIEWS, count)):
            picture = render(look, sample_pose(rng))
            pixels[view] = picture.pixels
            masks[view] = picture.mask >= _COVERED
            rows.append((look, picture.pose))
    facts = {
        "category": [CATEGORIES.index(look.category) for look, _ in rows],
        "pattern": [PATTERNS.index(look.pattern) for look, _ in rows],
        "context": [CONTEXTS.index(pose.context) for _, pose in rows],
        "colours": [(look.body, look.mark, look.trim) for look, _ in rows],
    }
    columns = {name: np.asarray(values, np.uint8) for name, values in facts.items()}
    return {"pixels": pixels, "masks": masks, **columns}


def _replace(path: Path, values: npt.NDArray[np.uint8]) -> None:
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    with scratch.open("wb") as file:
        np.save(file, values)
    scratch.replace(path)
