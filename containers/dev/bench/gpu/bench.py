"""The surroundings of a part of the GPU bench."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dev.full_size.catalogue import gpu_row, row


@dataclass(frozen=True)
class Bench:
    """A part's surroundings.

    Attributes:
        part: its name.
        tiny: True measures tiny models, on whatever device there is: a test of the bench itself.
        folder: scratch, removed after the part.
        results: JSON lines, one for each measurement.
    """

    part: str
    tiny: bool
    folder: Path
    results: Path

    @property
    def device(self) -> torch.device:
        """The GPU, or the CPU where there is none."""
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def on_gpu(self) -> bool:
        """True when the device is a GPU."""
        return self.device.type == "cuda"

    def recipe(self, model: str) -> dict[str, Any]:
        """Return the standard recipe of a model, or of its stand-in."""
        recipe: dict[str, Any] = row(model, tiny=self.tiny)["recipes"]["standard"]
        return recipe

    def record(self, **numbers: Any) -> None:
        """Append a measurement to the results at once: whatever happens later, it is kept."""
        append(self.results, {"part": self.part, **numbers})

    def peak(self, what: str) -> float | None:
        """Return the card's peak: TFLOP/s in `bfloat16`, or GB/s of `bandwidth`; None for other devices."""
        gpu = gpu_row(torch.cuda.get_device_name()) if self.on_gpu else None
        return None if gpu is None else float(gpu[what])

    def share_of_peak(self, tflop: float, seconds: float) -> float | None:
        """Return the share of the card's peak in bfloat16 at which this work was done."""
        peak = self.peak("bfloat16")
        return None if peak is None else round(tflop / seconds / peak, 3)

    @contextmanager
    def peak_memory(self) -> Iterator[Callable[[], float | None]]:
        """Within this context count memory; yields what returns the peak in GiB, None on a CPU."""
        if self.on_gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        yield lambda: gib(torch.cuda.max_memory_allocated()) if self.on_gpu else None

    def seconds(self, work: Callable[[], object]) -> float:
        """Measure one run, including all of its work on a GPU."""
        self.wait()
        began = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - began

    def wait(self) -> None:
        """Wait for the GPU."""
        if self.on_gpu:
            torch.cuda.synchronize()


def append(file: Path, line: dict[str, Any]) -> None:
    """Append a JSON line, on the disk when this returns."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")
        out.flush()
        os.fsync(out.fileno())


def gib(count: float) -> float:
    """Return bytes in GiB, to two places."""
    return round(count / 2**30, 2)
