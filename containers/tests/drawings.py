"""Images that clearly differ: shapes on gradients, each from its seed."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw


def draw(seed: int, size: tuple[int, int] = (64, 64)) -> Image.Image:
    """Draw a gradient with two shapes; a seed gives the same image at every size, up to details."""
    rng = np.random.default_rng(seed)
    width, height = size
    corner, slope = rng.integers(0, 160, 3), rng.integers(-90, 90, (2, 3))
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    levels = corner + x[..., None] * slope[0] + y[..., None] * slope[1]
    picture = Image.fromarray(np.clip(levels + 40, 0, 255).astype(np.uint8), "RGB")
    pen = ImageDraw.Draw(picture)
    for shape in (pen.ellipse, pen.rectangle):
        left, top, wide, high = rng.uniform(0.05, 0.5, 4)
        shape(
            (left * width, top * height, (left + wide) * width, (top + high) * height),
            fill=tuple(int(level) for level in rng.integers(0, 256, 3)),
        )
    return picture


def png(picture: Image.Image) -> bytes:
    """Encode an image as PNG."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
