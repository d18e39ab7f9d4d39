"""From an image tokenizer's tensors to images, in full precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image
from torch import Tensor


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute convolutions in real float32 while inside.

    By default cuDNN computes them in TF32, with ten bits of mantissa, which turns some tokens into others.
    """
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def to_image(values: Tensor) -> Image.Image:
    """Make an image of (3, H, W) values, about [-1, 1]."""
    pixels = ((values.float() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(np.asarray(pixels.permute(1, 2, 0).cpu()))
