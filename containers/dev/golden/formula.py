"""Weights by formula: every tensor of a golden model is rebuilt from its name alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

# (scale, offset) of a tensor, from its name and shape.
Scales = Callable[[str, tuple[int, ...]], tuple[float, float]]
# A tensor from its name, shape, scale and offset.
Formula = Callable[[str, Iterable[int], float, float], Tensor]


def fill(
    name: str, shape: Iterable[int], scale: float, offset: float = 0.0, dtype: Any = np.float32
) -> Tensor:
    """Return the float32 tensor that belongs to a name: v[i] = sin((i + 1) 12.9898 + h 0.618) scale + offset.

    Here h is the name's crc32 modulo 1000 and i counts the elements row by row; computed in float64.
    """
    sizes = tuple(shape)
    phase = (crc32(name.encode()) % 1000) * 0.618
    count = int(np.prod(sizes, dtype=np.int64))
    values = np.sin(np.arange(1, count + 1, dtype=np.float64) * 12.9898 + phase) * scale + offset
    return torch.from_numpy(values.astype(dtype)).reshape(sizes)


def fill_apart(name: str, shape: Iterable[int], scale: float, offset: float = 0.0) -> Tensor:
    """Return the float32 tensor of a second formula, which leaves no two rows alike.

    Of x = sin((i + 1) 12.9898 + h 0.618) 43758.5453 only the fraction counts, spread over [-1, 1).
    """
    waves = fill(name, shape, 43758.5453, dtype=np.float64).numpy()
    values = (2 * (waves - np.floor(waves)) - 1) * scale + offset
    return torch.from_numpy(values.astype(np.float32))


def fill_model(
    model: nn.Module, scales: Scales, keep: frozenset[str] = frozenset(), formula: Formula = fill
) -> None:
    """Fill a model's whole state dict by formula, in place, except the names in `keep`."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name not in keep:
                shape = tuple(tensor.shape)
                tensor.copy_(formula(name, shape, *scales(name, shape)))
