"""Activations that do not fit are computed twice instead of kept. How many there are, each family says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

# Share of the GPU's memory left by the weights that kept activations may take; the rest is for logits,
# gradients and what kernels need in passing.
SHARE = 0.7


def recompute_layers(model: Any) -> None:
    """Let every layer of a model of transformers' keep its input only and compute the rest again.

    The numbers stay the same, those of dropout too.
    """
    model.activation_checkpointing_enable({"use_reentrant": False})


def fit(
    model: nn.Module,
    kept: int,
    device: torch.device,
    recompute: Callable[[], None],
    *,
    share: float = SHARE,
) -> None:
    """Recompute activations where keeping them would take too much of the GPU's memory.

    Args:
        kept: what one training step keeps for the way back, in bytes, when nothing is recomputed.
        recompute: lets every layer keep its input only.
        share: how much of what the weights leave may be kept.
    """
    if device.type != "cuda":
        return
    weights = sum(value.numel() * value.element_size() for value in model.parameters())
    free = torch.cuda.get_device_properties(device).total_memory - weights
    if kept > share * free:
        print("activations are computed twice: keeping them would not fit this GPU", flush=True)
        recompute()
