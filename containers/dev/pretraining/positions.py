"""First position embeddings of image encoders: sines of the row and the column.

transformers begins them as noise that is a tenth of the patches' vectors or less, and in as few steps as here
an encoder then learns colours but no shapes. Sines are a common choice for short trainings (Beyer et al.,
"Better plain ViT baselines for ImageNet-1k", arXiv 2205.01580). Here they are a beginning only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Wavelengths in patches: from the finest that a grid can hold to twice the side of a grid of eight.
SHORTEST, LONGEST = 2.0, 16.0


def sine_positions(side: int, width: int) -> Tensor:
    """Sines and cosines of rows and columns, row by row: (side * side, width), from -1 to 1.

    Args:
        width: a multiple of 4.
    """
    count = width // 4
    steps = torch.linspace(0, 1, count)
    wavelengths = SHORTEST * (LONGEST / SHORTEST) ** steps
    angles = 2 * math.pi * torch.arange(side)[:, None] / wavelengths
    along = torch.cat([angles.sin(), angles.cos()], dim=1)  # (side, width / 2)
    rows = along[:, None].expand(side, side, -1)
    columns = along[None].expand(side, side, -1)
    return torch.cat([rows, columns], dim=2).reshape(side * side, width)
