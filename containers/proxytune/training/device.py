"""The device that a job computes on, the precision of frozen weights there, and its memory."""

from __future__ import annotations

import gc

import torch


def default_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 for a GPU, float32 for the CPU."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def free_memory(device: torch.device) -> None:
    """Free the memory of objects that are no longer referenced, at once and for all processes."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
