"""What a training step of Janus keeps for the way back."""

from __future__ import annotations

import torch
from transformers import JanusConfig

from proxytune.student import memory
from proxytune.student.families.janus.transformer import Janus
from proxytune.training.activation_checkpointing import enable_if_needed

# What a layer keeps for the way back in bfloat16 with its adapter, in bytes a place and unit of width:
# counted with torch's saved-tensor hooks at width 512 in the proportions of 1B.
BYTES_KEPT = 71


def activation_bytes(config: JanusConfig, batch_size: int, length: int) -> int:
    """Estimate what one training step keeps for the way back, in bytes, when nothing is recomputed.

    Args:
        length: places of the longest sequence.
    """
    text = config.text_config
    return batch_size * length * int(text.num_hidden_layers) * int(text.hidden_size) * BYTES_KEPT


def fit(lm: Janus, batch_size: int, length: int, device: torch.device) -> None:
    """Recompute activations, layer by layer, where keeping them would take too much of the GPU's memory."""
    kept = activation_bytes(lm.config, batch_size, length)
    enable_if_needed(lm, kept, device, lambda: memory.recompute_layers(lm), share=memory.SHARE)
