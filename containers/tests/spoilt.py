"""Model folders with one tensor that is no good, made in a test."""

import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

# Finite in float32 and bfloat16; float16 ends at 65504.
TOO_LARGE_FOR_FLOAT16 = 1e6


def spoilt(base: Path, folder: Path, file: str, tensor: str, value: float) -> Path:
    """A copy of `base` in `folder`, named like it, in which every number of `tensor` is `value`."""
    copy = Path(shutil.copytree(base, folder / base.name))
    weights = load_file(copy / file)
    weights[tensor].fill_(value)
    save_file(weights, copy / file, metadata={"format": "pt"})
    return copy
