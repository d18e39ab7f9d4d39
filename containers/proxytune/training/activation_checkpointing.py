"""Activation checkpointing: activations that would not fit the GPU are recomputed instead of kept.

How many bytes a training step keeps is an estimate of each family; the decision and its line in the log are
here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

GIB = 2**30


def gpu_bytes(device: torch.device) -> int | None:
    """Return the memory of a device's GPU; None for the CPU."""
    if device.type != "cuda":
        return None
    properties: Any = torch.cuda.get_device_properties(device)
    return int(properties.total_memory)


def is_needed(needed: int, available: int, share: float) -> bool:
    """Decide whether `needed` bytes take more than their share of those that are available."""
    return needed > share * available


def log_enabled(kept: int, gpu: int) -> None:
    """Log that activation checkpointing is on.

    Args:
        kept: bytes of activations that a training step would keep.
        gpu: memory of the GPU in bytes.
    """
    print(
        f"Activation checkpointing is on: keeping activations ({kept / GIB:.1f} GiB) would not fit this GPU "
        f"({gpu / GIB:.1f} GiB)",
        flush=True,
    )


def enable_if_needed(
    model: nn.Module, kept: int, device: torch.device, enable: Callable[[], None], *, share: float
) -> None:
    """Recompute activations where keeping them would take too much of the memory that the weights leave.

    Args:
        kept: bytes that one training step keeps for the backward pass when nothing is recomputed.
        enable: lets every layer keep its input only.
        share: of the memory left by the weights; how much of it activations may take.
    """
    gpu = gpu_bytes(device)
    if gpu is None:
        return
    weights = sum(value.numel() * value.element_size() for value in model.parameters())
    if is_needed(kept, gpu - weights, share):
        log_enabled(kept, gpu)
        enable()
