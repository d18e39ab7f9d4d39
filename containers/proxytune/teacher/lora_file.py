"""The file of a teacher's adapter: how its tensors are named and what they add to which layer."""

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
    """What an adapter adds to one layer: `scale * up @ down`."""

    down: Tensor
    up: Tensor
    scale: float

    def delta(self, weight: Tensor) -> Tensor:
        """The addition, float32, in the form of `weight` (a matrix, or a convolution's kernel).

        Raises:
            RuntimeError: the factors are no product of this form.
        """
        down, up = (factor.to(weight.device, torch.float32).flatten(1) for factor in (self.down, self.up))
        return (self.scale * (up @ down)).view(weight.shape)


def read_layers(folder: Path, prefix: str) -> dict[str, LowRank]:
    """What the adapter of `folder` adds, by the name of the layer in the network.

    Raises:
        ProxytuneError: ModelMismatch.
    """
    file = folder / WEIGHTS_FILE
    if not file.is_file():
        raise refused(f"the folder holds no {WEIGHTS_FILE}")
    try:
        with safe_open(file, "pt") as opened:
            facts = json.loads((opened.metadata() or {}).get(METADATA_KEY, "{}"))
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise refused(f"{WEIGHTS_FILE} cannot be read: {error}") from error
    factors: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, factor = _place(key, prefix)
        factors.setdefault(name, {})[factor] = tensor
    halves = [name for name, both in factors.items() if len(both) < 2]
    if halves or not factors:
        raise refused(f"only half of {halves[0]} is there" if halves else "its file holds no tensor")
    scale = _scale(facts, prefix)
    return {name: LowRank(both["down"], both["up"], scale) for name, both in factors.items()}


def _scale(facts: dict[str, Any], prefix: str) -> float:
    rank, alpha = facts.get(f"{prefix}.r"), facts.get(f"{prefix}.lora_alpha")
    if not rank or alpha is None:
        raise refused("its file has no metadata, so that alpha is unknown")
    if any(facts.get(f"{prefix}.{name}") for name in ("alpha_pattern", "rank_pattern", "use_rslora")):
        raise refused("its layers are scaled in different ways")
    return float(alpha) / float(rank)


def _place(key: str, prefix: str) -> tuple[str, str]:
    """The layer and the factor that a key of the file stands for."""
    for factor, endings in (("down", DOWN), ("up", UP)):
        for ending in endings:
            if key.startswith(f"{prefix}.") and key.endswith(ending):
                return key.removeprefix(f"{prefix}.").removesuffix(ending), factor
    raise refused(f"the tensor {key} belongs to no layer of the network")


def refused(why: str) -> ProxytuneError:
    """The error of an adapter that cannot be put on this teacher."""
    return ProxytuneError(
        "ModelMismatch",
        what=f"The adapter does not fit the teacher: {why}",
        allowed=f"the {WEIGHTS_FILE} that the stage teach wrote for this model",
        remedy="give the job the adapter of the same run",
    )
