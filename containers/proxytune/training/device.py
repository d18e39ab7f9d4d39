"""The device that a job computes on, and the precision of frozen weights there."""

from __future__ import annotations

import torch


def default_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 for a GPU, float32 for the CPU."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32
