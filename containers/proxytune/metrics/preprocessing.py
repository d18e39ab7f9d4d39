"""From a picture to the numbers an encoder sees.

Scores of one and the same picture move by up to 0.02 when resizing is done differently, so this is the
official preprocessing of both encoders to the letter: shorter side to `resize` with Pillow's bicubic filter
(which averages when it shrinks), middle square of `crop`, mean and standard deviation of the encoder's
training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

# Of ImageNet's training set; what DINO's own evaluation transform uses.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """Resize, crop and normalise.

    Attributes:
        resize: pixels of the shorter side after resizing.
        crop: side of the middle square in pixels; at most `resize`.
        mean: of red, green and blue on a scale from 0 to 1.
        std: standard deviation of the same.
    """

    resize: int
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        """The picture as float32 of shape (3, crop, crop)."""
        square = middle_square(resize_shorter_side(picture.convert("RGB"), self.resize), self.crop)
        levels = torch.from_numpy(np.array(square)).permute(2, 0, 1).float() / 255  # (3, crop, crop)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (levels - mean) / std


def resize_shorter_side(picture: Image.Image, side: int) -> Image.Image:
    """The whole picture with its shorter side at `side` pixels; the longer one is cut to a whole number."""
    width, height = picture.size
    if min(width, height) == side:
        return picture
    longer = int(side * max(width, height) / min(width, height))
    size = (side, longer) if width <= height else (longer, side)
    return picture.resize(size, Image.Resampling.BICUBIC)


def middle_square(picture: Image.Image, side: int) -> Image.Image:
    """The square of `side` pixels in the middle of a picture that is at least that large.

    An odd margin is rounded as torchvision rounds it, which the official code uses; transformers' own
    processor cuts it off, and so sees another column of pixels.
    """
    width, height = picture.size
    left = round((width - side) / 2)
    top = round((height - side) / 2)
    return picture.crop((left, top, left + side, top + side))
