"""A second file of an adapter, for software that knows models by their authors' own layer names.

Keys are those of kohya's sd-scripts, which ComfyUI and others read: `lora_unet_` and the layer's name in the
authors' checkpoint with `_` for `.`, then `.lora_down.weight`, `.lora_up.weight` and `.alpha`. Where that
checkpoint has one matrix for what diffusers splits (queries, keys and values), their factors are put side by
side: as wide a rank as all of them together, and nothing else than what each of them adds.
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
class Place:
    """Where a layer's weight lies in the authors' checkpoint.

    Attributes:
        name: of the matrix there, without `.weight`.
        start: first of its rows that are this layer's, in units of the layer's own rows.
        total: all rows of the matrix, in the same units.
    """

    name: str
    start: int = 0
    total: int = 1


def write_kohya(
    folder: Path, layers: Mapping[str, LowRank], place: Callable[[str], Place], metadata: dict[str, str]
) -> Path:
    """Write the file into `folder`.

    Args:
        layers: what the adapter adds, by diffusers' names of the layers.
        place: the family's names of them.
        metadata: the file's header.
    """
    together: dict[str, list[tuple[Place, LowRank]]] = {}
    for name, layer in sorted(layers.items()):
        at = place(name)
        together.setdefault(at.name, []).append((at, layer))
    tensors: dict[str, Tensor] = {}
    for name, parts in together.items():
        key = f"lora_unet_{name.replace('.', '_')}"
        down, up, alpha = _side_by_side(sorted(parts, key=lambda part: part[0].start))
        tensors[f"{key}.lora_down.weight"] = down
        tensors[f"{key}.lora_up.weight"] = up
        tensors[f"{key}.alpha"] = torch.tensor(alpha)
    file = folder / KOHYA_FILE
    save_file(tensors, file, metadata)
    return file


def _side_by_side(parts: list[tuple[Place, LowRank]]) -> tuple[Tensor, Tensor, float]:
    """The factors of one matrix of the checkpoint, and its alpha."""
    (first, layer), ranks = parts[0], [layer.down.shape[0] for _, layer in parts]
    if first.total == 1:
        return layer.down.contiguous(), layer.up.contiguous(), layer.scale * ranks[0]
    rows = layer.up.shape[0]
    up = torch.zeros(first.total * rows, sum(ranks), dtype=layer.up.dtype)
    column = 0
    for (at, part), rank in zip(parts, ranks, strict=True):
        up[at.start * rows : at.start * rows + rows, column : column + rank] = part.up
        column += rank
    # The scale is alpha by rank, and the rank has grown.
    return torch.cat([part.down for _, part in parts]), up, layer.scale * sum(ranks)
