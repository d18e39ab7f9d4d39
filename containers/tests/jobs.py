"""The folders of a teach job, and a simulated SIGTERM, for tests."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from proxytune.contract.signals import StopRequest

TEACH = {
    "stage": "teach",
    "family": "sdxl",
    "model": "sdxl-tiny",
    "seed": "7",
    "rank": "4",
    "alpha": "8",
    "learning_rate": "0.001",
    "steps": "6",
    "batch_size": "2",
    "size": "64",
    "checkpoint_every": "4",
    "token_word": "ohwx",
    "prompts": json.dumps(["a ohwx dog", "a photo of ohwx dog"]),
}


def write_photos(folder: Path, sizes: tuple[tuple[int, int], ...] = ((96, 64), (70, 100), (64, 64))) -> None:
    """Write smooth coloured images of the given (width, height), as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(5)
    for number, size in enumerate(sizes):
        small = Image.fromarray(random.integers(0, 255, (4, 4, 3), dtype=np.uint8))
        small.resize(size, Image.Resampling.BICUBIC).save(folder / f"{number:03d}.png")


def write_teach_job(base: Path, model: Path, /, **changes: str) -> Path:
    """Write the folders of a teach job under `base`; returns `base`."""
    write_photos(base / "input" / "data" / "references")
    (base / "input" / "data" / "base").symlink_to(model)
    config = base / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps({**TEACH, **changes}))
    return base


class StopBefore(StopRequest):
    """SIGTERM that arrives just before step `step` (0 is the first)."""

    def __init__(self, step: int) -> None:
        self._reads_left = step
        super().__init__()

    @property
    def requested(self) -> bool:
        """Count the reads: the loops read this once before every step, and once after the last."""
        self._reads_left -= 1
        return self._reads_left < 0

    @requested.setter
    def requested(self, value: bool) -> None:
        """Ignore real signals."""
