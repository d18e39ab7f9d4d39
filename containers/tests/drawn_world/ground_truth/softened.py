"""Pictures of the drawn domain, and a decoder's possible damage to them."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image, ImageFilter

from proxytune.drawn_world.appearance import sample_appearance
from proxytune.drawn_world.render import Picture, render
from proxytune.drawn_world.scene import sample_pose

# Blur in pixels and noise in levels. The miniature's decoders reach 25 dB; these lie around and below it.
SOFTENINGS = (("gauss", 0.8, 4.0), ("gauss", 1.0, 0.0), ("box", 1.0, 0.0), ("gauss", 1.3, 8.0))


def pictures_of_the_world(count: int, seed: int) -> list[Picture]:
    """Any objects in any contexts."""
    draws = Random(f"truth {seed}")
    return [render(sample_appearance(draws), sample_pose(draws)) for _ in range(count)]


def sharp(picture: Picture) -> Image.Image:
    return Image.fromarray(picture.pixels)


def softened(picture: Picture, number: int) -> Image.Image:
    """The picture blurred and noised, in the way whose turn it is."""
    kind, blur, noise = SOFTENINGS[number % len(SOFTENINGS)]
    filter_ = ImageFilter.GaussianBlur(blur) if kind == "gauss" else ImageFilter.BoxBlur(blur)
    levels = np.asarray(sharp(picture).filter(filter_), float)
    levels = levels + np.random.default_rng(number).normal(0, noise, levels.shape)
    return Image.fromarray(np.clip(levels.round(), 0, 255).astype(np.uint8))


def psnr(picture: Image.Image, truth: Picture) -> float:
    """Peak signal to noise in dB."""
    error = np.square(np.asarray(picture, float) - truth.pixels).mean()
    return float(10 * np.log10(255**2 / error))
