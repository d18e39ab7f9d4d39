"""Activations that do not fit are computed twice instead of kept."""

from __future__ import annotations

import torch
from transformers import ChameleonConfig

from proxytune.student.lumina.transformer import Lumina

# What a layer keeps for the way back in bfloat16 with its adapter, in bytes an id and unit of width: counted
# with torch's saved-tensor hooks at width 512 in the proportions of 7B.
BYTES_KEPT = 58
# Share of the GPU's memory left by the weights that kept activations may take; the rest is for logits,
# gradients and what kernels need in passing.
SHARE = 0.7


def activation_bytes(config: ChameleonConfig, batch_size: int, length: int) -> int:
    """Estimate what one training step keeps for the way back, in bytes, when nothing is recomputed.

    Args:
        length: ids of the longest sequence.
    """
    return batch_size * length * int(config.num_hidden_layers) * int(config.hidden_size) * BYTES_KEPT


def fit(lm: Lumina, batch_size: int, length: int, device: torch.device) -> None:
    """Recompute activations, layer by layer, where keeping them would take too much of the GPU's memory."""
    if device.type != "cuda":
        return
    weights = sum(value.numel() * value.element_size() for value in lm.parameters())
    free = torch.cuda.get_device_properties(device).total_memory - weights
    if activation_bytes(lm.config, batch_size, length) > SHARE * free:
        print("activations are computed twice: keeping them would not fit this GPU", flush=True)
        recompute_activations(lm)


def recompute_activations(lm: Lumina) -> None:
    """Let every layer keep its input only; the numbers stay the same, those of dropout too."""
    lm.activation_checkpointing_enable({"use_reentrant": False})
