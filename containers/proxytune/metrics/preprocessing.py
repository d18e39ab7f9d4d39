"""Preprocessing: from an image to an encoder's input.

The scores of the same image differ by up to 0.02 between methods of resizing, so this follows the official
preprocessing of both encoders exactly: resize the shorter side to `resize` with Pillow's bicubic filter
(which averages when it shrinks), crop the centre square of `crop`, normalize with the mean and standard
deviation of the encoder's training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

# Of ImageNet's training set, as in DINO's own evaluation transform.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """Resize, crop and normalize.

    Attributes:
        resize: pixels of the shorter side after resizing.
        crop: side of the centre square in pixels; at most `resize`.
        mean: of red, green and blue on a scale from 0 to 1.
        std: standard deviation of the same.
    """

    resize: int
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        """Preprocess an image to float32 of shape (3, crop, crop)."""
        square = centre_square(resize_shorter_side(picture.convert("RGB"), self.resize), self.crop)
        levels = torch.from_numpy(np.array(square)).permute(2, 0, 1).float() / 255  # (3, crop, crop)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (levels - mean) / std


def resize_shorter_side(picture: Image.Image, side: int) -> Image.Image:
    """Resize an image to `side` pixels on its shorter side; the longer side is rounded down."""
    width, height = picture.size
    if min(width, height) == side:
        return picture
    longer = int(side * max(width, height) / min(width, height))
    size = (side, longer) if width <= height else (longer, side)
    return picture.resize(size, Image.Resampling.BICUBIC)


def centre_square(picture: Image.Image, side: int) -> Image.Image:
    """Crop the square of `side` pixels in the centre of an image that is at least that large.

    An odd margin is rounded as in torchvision, which the official code uses; transformers' own processor
    rounds it down, and so gets another column of pixels.
    """
    width, height = picture.size
    left = round((width - side) / 2)
    top = round((height - side) / 2)
    return picture.crop((left, top, left + side, top + side))
