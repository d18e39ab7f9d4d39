"""From a mask to the weights of a loss, and the fill that takes the place of an unweighted background."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

Mask = npt.NDArray[np.bool_]
"""Shape (height, width); True where an image shows the subject."""

# A mask that covers less than the first share of an image, or more than the second, says nothing: the subject
# was not found, or was not distinguished from the rest. 1 % of a photo is a square of a tenth of its side.
LEAST_SHARE, MOST_SHARE = 0.01, 0.99
# What backgrounds are painted with, in turn. With grey alone, subjects took on some of it: the teacher of a
# drawn bear missed its palette by 11.9 instead of 5.7 (a trial, 24 images each; see docs/miniature.md).
FILLS = ((255, 255, 255), (0, 0, 0), (200, 60, 60), (60, 160, 80), (70, 90, 200), (128, 128, 128))


def tells_subject(mask: Mask) -> bool:
    """Return True for a mask that tells a subject from what is around it."""
    return LEAST_SHARE <= float(mask.mean()) <= MOST_SHARE


def pooled(mask: Tensor, rows: int, columns: int) -> Tensor:
    """Average a mask (H, W) over the cells of a grid: (rows, columns), the share of each that is subject."""
    return F.adaptive_avg_pool2d(mask[None, None].float(), (rows, columns))[0, 0]


def loss_weights(shares: Tensor, background: float = 0.0) -> Tensor:
    """Compute the weights of the errors of one image, whose mean is 1, so that the loss keeps its scale.

    Args:
        shares: of each cell that is subject, 0 to 1, not 0 everywhere; any shape.
        background: weight of the background relative to the subject; with 0 it has none.
    """
    weights = shares + background * (1 - shares)
    return weights / weights.mean()


def background_weights(shares: Tensor) -> Tensor:
    """Compute the weights of the background of one image, whose mean is 1, or 0 where all is subject."""
    background = 1 - shares
    return background / background.mean() if bool(background.any()) else background


def without_background(image: Image.Image, mask: Mask, number: int) -> Image.Image:
    """Paint everything that is not the subject, in one colour.

    Args:
        mask: of any size; it is scaled to the image's without new values.
        number: of the image among all; each has the next colour.
    """
    subject = Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0)))
    if subject.size != image.size:
        subject = subject.resize(image.size, Image.Resampling.NEAREST)
    return Image.composite(image, Image.new("RGB", image.size, FILLS[number % len(FILLS)]), subject)
