"""Model folders with one corrupt tensor, made in a test."""

import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

# Finite in float32 and bfloat16; float16 ends at 65504.
TOO_LARGE_FOR_FLOAT16 = 1e6


def corrupted(base: Path, folder: Path, file: str, tensor: str, value: float) -> Path:
    """Copy `base` into `folder`, under the same name, with `value` in every element of `tensor`."""
    copy = Path(shutil.copytree(base, folder / base.name))
    weights = load_file(copy / file)
    weights[tensor].fill_(value)
    save_file(weights, copy / file, metadata={"format": "pt"})
    return copy
