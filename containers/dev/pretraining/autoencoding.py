"""Losses and scores of both autoencoders: how far a decoded picture is from the original."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Held-out pictures that an evaluation decodes.
EVALUATED = 500
_AT_ONCE = 100


def reconstruction_loss(decoded: Tensor, pictures: Tensor) -> Tensor:
    """Absolute and squared difference, and the difference of neighbouring pixels' steps, which keeps edges.

    Args:
        decoded, pictures: (B, 3, H, W) in [-1, 1].
    """
    off = decoded.float() - pictures
    across, down = off[..., 1:] - off[..., :-1], off[..., 1:, :] - off[..., :-1, :]
    edges = across.abs().mean() + down.abs().mean()
    return off.abs().mean() + 2 * off.square().mean() + 0.5 * edges


def psnr(decoded: Tensor, pictures: Tensor) -> float:
    """Peak signal-to-noise ratio in decibels, the mean over the pictures."""
    error = (decoded.float().clamp(-1, 1) - pictures).square().mean(dim=(1, 2, 3))
    return float((10 * torch.log10(4 / error)).mean())


def in_batches(numbers: Tensor) -> tuple[Tensor, ...]:
    """Numbers in portions that fit in memory."""
    return numbers.split(_AT_ONCE)


def squared(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared error in float32, whatever autocast would choose."""
    return F.mse_loss(first.float(), second.float())
