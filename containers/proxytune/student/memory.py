"""Activation checkpointing of students: the share of memory for activations, and recomputing layers."""

from __future__ import annotations

from typing import Any

# Share of the GPU's memory left by the weights that kept activations may take; the rest is for logits,
# gradients and what kernels need in passing.
SHARE = 0.7


def recompute_layers(model: Any) -> None:
    """Let every layer of a model of transformers' keep its input only and compute the rest again.

    The numbers stay the same, those of dropout too.
    """
    model.activation_checkpointing_enable({"use_reentrant": False})
