"""tuning.json: by which method the files of a folder were trained.

A LoRA has none: its files are peft's, and were all there was before there were other methods.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from proxytune.contract.errors import ProxytuneError

FILE = "tuning.json"


def write_kind(folder: Path, kind: str, **facts: object) -> None:
    """Write tuning.json.

    Args:
        facts: further ones that reading the folder needs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"tuning": kind, **facts}, indent=2, sort_keys=True)
    (folder / FILE).write_text(text + "\n", "utf-8")


def read_kind(folder: Path) -> dict[str, Any]:
    """Read tuning.json; `{"tuning": "lora"}` where there is none.

    Raises:
        ProxytuneError: ModelMismatch when it cannot be read.
    """
    if not (folder / FILE).is_file():
        return {"tuning": "lora"}
    try:
        facts = json.loads((folder / FILE).read_text("utf-8"))
        if not isinstance(facts["tuning"], str):
            raise TypeError(f"its tuning is {facts['tuning']!r}")
    except (ValueError, KeyError, TypeError) as error:
        raise refused(f"{FILE} cannot be read: {error!r}", FILE) from error
    return dict(facts)


def read_tensors(files: Iterable[Path]) -> dict[str, Tensor]:
    """Read all tensors of safetensors files.

    Raises:
        ProxytuneError: ModelMismatch for one that is missing or damaged.
    """
    tensors: dict[str, Tensor] = {}
    for file in files:
        try:
            tensors |= load_file(file)
        except (OSError, SafetensorError) as error:
            why = f"{file.name} cannot be read: {str(error).strip().splitlines()[0]}"
            raise refused(why, file.name) from error
    return tensors


def check_shapes(expected: dict[str, Tensor], given: dict[str, Tensor], *, files: str) -> None:
    """Refuse tensors that the model does not have, or has in another shape.

    Raises:
        ProxytuneError: ModelMismatch, naming up to three.
    """
    wrong = [f"{name} is unknown" for name in given if name not in expected]
    wrong += [
        f"{name} is {tuple(value.shape)} instead of {tuple(expected[name].shape)}"
        for name, value in given.items()
        if name in expected and value.shape != expected[name].shape
    ]
    if wrong:
        raise refused("; ".join(wrong[:3]), files)


def refused(why: str, files: str) -> ProxytuneError:
    """Make the error of a folder that does not fit the student.

    Args:
        files: that would have been right.
    """
    return ProxytuneError(
        "ModelMismatch",
        what=f"The adapter does not fit the student: {why}",
        allowed=f"the {files} that the stage learn wrote for this model",
        remedy="give the job the adapter of the same run",
    )
