"""The card of the shipped weights: data, settings, machine, time, and measured quality."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from dev.pretraining.folders import size_of
from dev.pretraining.settings import Settings

FILE = "card.json"
_PACKAGES = ("torch", "diffusers", "transformers", "numpy", "pillow")


def write_card(
    models: Path, work: Path, settings: Settings, dtype: torch.dtype, quality: dict[str, float]
) -> None:
    """Write `card.json` next to the model folders.

    Args:
        work: the working folder, which holds every part's losses, findings and seconds.
        quality: as `quality.measure` finds it.
    """
    parts = {name: json.loads((work / f"{name}.json").read_text("utf-8")) for name in settings.parts}
    card = {
        "title": "The miniature models",
        "data": "a procedural domain of 32 x 32 pictures, drawn by proxytune.drawn_world; no photograph",
        "licence": "Apache-2.0",
        "command": "python containers/dev/tools/pretrain_miniature.py --work DIR --out DIR",
        "settings": settings.to_dict(),
        "machine": _machine(dtype),
        "seconds": {name: round(part["seconds"]) for name, part in parts.items()},
        "peak_bytes_of_a_worker": max(part["peak_bytes"] for part in parts.values()),
        "findings": {name: part["findings"] for name, part in parts.items()},
        "quality": {name: round(value, 4) for name, value in quality.items()},
        "bytes": {folder.name: size_of(folder) for folder in sorted(models.iterdir()) if folder.is_dir()},
    }
    (models / FILE).write_text(json.dumps(card, indent=2) + "\n", "utf-8")


def _machine(dtype: torch.dtype) -> dict[str, Any]:
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "computed_in": str(dtype).removeprefix("torch."),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
