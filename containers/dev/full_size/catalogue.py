"""The catalogue's rows of the large models and of the cards, read from its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# The catalogue as Python reads it, with what its rows extend filled in.
MODELS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parents[1] / "models.json").read_text("utf-8"))
# The repository's; containers without it have no `dev` either.
_DATA = Path(__file__).parents[3] / "lib" / "core" / "catalogue" / "data"
GPUS: dict[str, Any] = json.loads((_DATA / "gpus.json").read_text("utf-8"))
# The table that tools/count_work.py writes.
WORK_FILE = _DATA / "work.json"


def large(role: str) -> list[str]:
    """List the ids of a role's models that are too large for a CPU: those with a tiny stand-in."""
    return [name for name, row in MODELS.items() if row["role"] == role and row["tiny"] is not None]


TEACHERS, STUDENTS = large("teacher"), large("student")


def row(model: str, *, tiny: bool = False) -> dict[str, Any]:
    """Return the row of a model, or that of its tiny stand-in."""
    return MODELS[MODELS[model]["tiny"]] if tiny else MODELS[model]


def gpu_row(name: str) -> dict[str, Any] | None:
    """Return the row of a card by the name that torch gives it, such as `NVIDIA A10G`; None for others."""
    words = name.split()
    return next((gpu for key, gpu in GPUS["gpus"].items() if key in words), None)
