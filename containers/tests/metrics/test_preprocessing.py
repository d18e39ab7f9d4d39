from __future__ import annotations

import numpy as np
import pytest
from drawings import draw
from PIL import Image

from proxytune.metrics.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Preprocessing,
    centre_square,
    resize_shorter_side,
)


def cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -0.5."""
    x = np.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def resampled(levels: np.ndarray, size: int) -> np.ndarray:
    """Antialiased bicubic resampling of the first axis: kernel stretched by the scale, normalized."""
    scale = levels.shape[0] / size
    widening = max(scale, 1.0)
    centres = (np.arange(size) + 0.5) * scale
    weights = cubic((np.arange(levels.shape[0]) + 0.5 - centres[:, None]) / widening)
    weights /= weights.sum(axis=1, keepdims=True)
    # Pillow rounds to integer levels between its two passes, halves up.
    return np.clip(np.floor(np.tensordot(weights, levels, axes=(1, 0)) + 0.5), 0, 255)


@pytest.mark.parametrize("size", [(48, 80), (80, 48), (33, 57), (20, 20)])
def test_preprocessing_equals_a_reference_in_numpy(size: tuple[int, int]) -> None:
    picture = draw(3, size)
    resize, crop = 24, 16
    width, height = size
    new_width, new_height = (
        (resize, int(resize * height / width)) if width <= height else (int(resize * width / height), resize)
    )
    levels = np.asarray(picture, dtype=np.float64)
    levels = resampled(levels.transpose(1, 0, 2), new_width).transpose(1, 0, 2)
    levels = resampled(levels, new_height)
    top, left = round((new_height - crop) / 2), round((new_width - crop) / 2)
    levels = levels[top : top + crop, left : left + crop]
    expected = ((levels / 255 - IMAGENET_MEAN) / IMAGENET_STD).transpose(2, 0, 1)

    got = Preprocessing(resize, crop, IMAGENET_MEAN, IMAGENET_STD)(picture).numpy()

    assert got.shape == (3, crop, crop)
    # Pillow computes with fixed-point weights: a level may be off by one where the exact value is a half.
    off = np.abs(got - expected) * np.asarray(IMAGENET_STD)[:, None, None] * 255
    assert off.max() < 1.01
    assert (off > 0.01).mean() < 0.01


def test_the_longer_side_is_rounded_down_as_in_the_official_code() -> None:
    assert resize_shorter_side(Image.new("RGB", (333, 500)), 224).size == (224, 336)
    assert resize_shorter_side(Image.new("RGB", (500, 333)), 224).size == (336, 224)


def test_the_centre_square_is_in_the_centre() -> None:
    picture = Image.new("RGB", (6, 4))
    picture.putpixel((2, 1), (255, 0, 0))
    square = centre_square(picture, 2)
    assert square.size == (2, 2)
    assert square.getpixel((0, 0)) == (255, 0, 0)


def test_an_odd_margin_is_rounded_to_even_as_in_torchvision() -> None:
    picture = Image.new("RGB", (335, 229))
    picture.putpixel((56, 2), (255, 0, 0))
    assert centre_square(picture, 224).getpixel((0, 0)) == (255, 0, 0)


def test_grey_and_transparent_images_become_three_channels() -> None:
    preprocessing = Preprocessing(8, 8, IMAGENET_MEAN, IMAGENET_STD)
    for mode in ("L", "RGBA", "P"):
        assert preprocessing(Image.new(mode, (12, 9))).shape == (3, 8, 8)
