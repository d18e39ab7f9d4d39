"""What a training step of LlamaGen keeps for the way back, and how it keeps less."""

from __future__ import annotations

import torch

from proxytune.student.families.llamagen.config import LlamaGenConfig
from proxytune.student.families.llamagen.transformer import LlamaGen
from proxytune.training.activation_checkpointing import enable_if_needed

# What a layer keeps for the way back in bfloat16 with its adapter, in bytes a token and unit of width:
# counted with torch's saved-tensor hooks at width 640 (69.4), whose feed-forward is 2.8 times as wide as the
# layer, as in GPT-XL.
BYTES_KEPT = 70
# Share of what the weights leave of the GPU's memory that kept activations may take.
SHARE = 0.5


def activation_bytes(config: LlamaGenConfig, batch_size: int, slots: int) -> int:
    """Estimate what one training step keeps for the way back, in bytes, when nothing is recomputed.

    Args:
        slots: caption slots before the picture tokens.
    """
    tokens = batch_size * (slots + config.block_size - 1)
    return tokens * config.n_layer * config.dim * BYTES_KEPT


def recompute_activations(gpt: LlamaGen) -> None:
    """Let every layer keep its input only and compute the rest again on the way back.

    The numbers stay the same: the random state of the dropouts is put back for the second computation.
    """
    gpt.recompute = True


def fit(gpt: LlamaGen, batch_size: int, slots: int, device: torch.device) -> None:
    """Recompute activations where keeping them would take too much of the GPU's memory."""
    kept = activation_bytes(gpt.config, batch_size, slots)
    enable_if_needed(gpt, kept, device, lambda: recompute_activations(gpt), share=SHARE)
