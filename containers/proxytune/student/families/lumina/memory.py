"""What a training step of Lumina keeps for the way back."""

from __future__ import annotations

import torch
from transformers import ChameleonConfig

from proxytune.student import memory
from proxytune.student.families.lumina.transformer import Lumina
from proxytune.training.activation_checkpointing import enable_if_needed

# What a layer keeps for the way back in bfloat16 with its adapter, in bytes an id and unit of width: counted
# with torch's saved-tensor hooks at width 512 in the proportions of 7B.
BYTES_KEPT = 58


def activation_bytes(config: ChameleonConfig, batch_size: int, length: int) -> int:
    """Estimate what one training step keeps for the way back, in bytes, when nothing is recomputed.

    Args:
        length: ids of the longest sequence.
    """
    return batch_size * length * int(config.num_hidden_layers) * int(config.hidden_size) * BYTES_KEPT


def fit(lm: Lumina, batch_size: int, length: int, device: torch.device) -> None:
    """Recompute activations, layer by layer, where keeping them would take too much of the GPU's memory."""
    kept = activation_bytes(lm.config, batch_size, length)
    enable_if_needed(lm, kept, device, lambda: memory.recompute_layers(lm), share=memory.SHARE)
