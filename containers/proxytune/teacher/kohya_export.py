"""A second file of an adapter, for software that uses the layer names of the models' authors.

Keys are those of kohya's sd-scripts, which ComfyUI and others read: `lora_unet_` and the layer's name in the
authors' checkpoint with `_` for `.`, then `.lora_down.weight`, `.lora_up.weight` and `.alpha`. Where that
checkpoint has one matrix for layers that diffusers splits (queries, keys and values), their factors are put
side by side: the rank is the sum of theirs, and the product adds to each what its own factors add.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from proxytune.teacher.lora_file import LowRank

KOHYA_FILE = "kohya_lora_weights.safetensors"


@dataclass(frozen=True)
class OriginalWeight:
    """A layer's weight in the authors' checkpoint.

    Attributes:
        name: of the matrix there, without `.weight`.
        start: first of its rows that are this layer's, in units of the layer's own rows.
        total: number of rows of the matrix, in the same units.
    """

    name: str
    start: int = 0
    total: int = 1


def write_kohya(
    folder: Path,
    layers: Mapping[str, LowRank],
    original_weight: Callable[[str], OriginalWeight],
    metadata: dict[str, str],
) -> Path:
    """Write the file into `folder`.

    Args:
        layers: of the adapter, by diffusers' names.
        original_weight: finds a layer's weight in the authors' checkpoint.
        metadata: the file's header.
    """
    matrices: dict[str, list[tuple[OriginalWeight, LowRank]]] = {}
    for name, layer in sorted(layers.items()):
        weight = original_weight(name)
        matrices.setdefault(weight.name, []).append((weight, layer))
    tensors: dict[str, Tensor] = {}
    for name, parts in matrices.items():
        key = f"lora_unet_{name.replace('.', '_')}"
        down, up, alpha = _side_by_side(sorted(parts, key=lambda part: part[0].start))
        tensors[f"{key}.lora_down.weight"] = down
        tensors[f"{key}.lora_up.weight"] = up
        tensors[f"{key}.alpha"] = torch.tensor(alpha)
    file = folder / KOHYA_FILE
    save_file(tensors, file, metadata)
    return file


def _side_by_side(parts: list[tuple[OriginalWeight, LowRank]]) -> tuple[Tensor, Tensor, float]:
    """Return the factors of one matrix of the checkpoint, and its alpha."""
    (first, layer), ranks = parts[0], [layer.down.shape[0] for _, layer in parts]
    if first.total == 1:
        return layer.down.contiguous(), layer.up.contiguous(), layer.scale * ranks[0]
    rows = layer.up.shape[0]
    up = torch.zeros(first.total * rows, sum(ranks), dtype=layer.up.dtype)
    column = 0
    for (weight, part), rank in zip(parts, ranks, strict=True):
        up[weight.start * rows : weight.start * rows + rows, column : column + rank] = part.up
        column += rank
    # The scale is alpha / rank, and the rank is larger now.
    return torch.cat([part.down for _, part in parts]), up, layer.scale * sum(ranks)
