"""The file of a teacher's adapter: the names of its tensors, and the layers that they belong to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from proxytune.contract.errors import ProxytuneError

WEIGHTS_FILE = "pytorch_lora_weights.safetensors"
# The two ways to write a layer's factors; adapters of earlier versions have the first.
DOWN = (".lora.down.weight", ".lora_A.weight")
UP = (".lora.up.weight", ".lora_B.weight")
METADATA_KEY = "lora_adapter_metadata"


@dataclass(frozen=True)
class LowRank:
    """The low-rank update of one layer: `scale * up @ down`."""

    down: Tensor
    up: Tensor
    scale: float

    def delta(self, weight: Tensor) -> Tensor:
        """Return the update, float32, in the shape of `weight` (a matrix, or a convolution's kernel).

        Raises:
            RuntimeError: the product of the factors does not have this shape.
        """
        down, up = (factor.to(weight.device, torch.float32).flatten(1) for factor in (self.down, self.up))
        return (self.scale * (up @ down)).view(weight.shape)


def read_layers(folder: Path, prefix: str) -> dict[str, LowRank]:
    """Read the adapter of `folder`, by the names of the layers in the network.

    Raises:
        ProxytuneError: ModelMismatch.
    """
    file = folder / WEIGHTS_FILE
    if not file.is_file():
        raise refused(f"the folder has no {WEIGHTS_FILE}")
    try:
        with safe_open(file, "pt") as opened:
            facts = json.loads((opened.metadata() or {}).get(METADATA_KEY, "{}"))
            # An opened file can list its keys, but cannot be iterated.
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise refused(f"{WEIGHTS_FILE} cannot be read: {error}") from error
    factors: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, factor = _layer_and_factor(key, prefix)
        factors.setdefault(name, {})[factor] = tensor
    halves = [name for name, both in factors.items() if len(both) < 2]
    if halves or not factors:
        raise refused(f"only one factor of {halves[0]} is there" if halves else "its file has no tensors")
    scale = _scale(facts, prefix)
    return {name: LowRank(both["down"], both["up"], scale) for name, both in factors.items()}


def _scale(facts: dict[str, Any], prefix: str) -> float:
    rank, alpha = facts.get(f"{prefix}.r"), facts.get(f"{prefix}.lora_alpha")
    if not rank or alpha is None:
        raise refused("its file has no metadata, so that alpha is unknown")
    if any(facts.get(f"{prefix}.{name}") for name in ("alpha_pattern", "rank_pattern", "use_rslora")):
        raise refused("its layers have different scales")
    return float(alpha) / float(rank)


def _layer_and_factor(key: str, prefix: str) -> tuple[str, str]:
    """Return the layer and the factor that a key of the file names."""
    for factor, endings in (("down", DOWN), ("up", UP)):
        for ending in endings:
            if key.startswith(f"{prefix}.") and key.endswith(ending):
                return key.removeprefix(f"{prefix}.").removesuffix(ending), factor
    raise refused(f"the tensor {key} does not belong to a layer of the network")


def refused(why: str) -> ProxytuneError:
    """Make the error of an adapter that cannot be used with this teacher."""
    return ProxytuneError(
        "ModelMismatch",
        what=f"The adapter does not fit the teacher: {why}",
        allowed=f"the {WEIGHTS_FILE} that the stage teach wrote for this model",
        remedy="give the job the adapter of the same run",
    )
