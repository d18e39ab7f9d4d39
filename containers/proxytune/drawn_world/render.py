"""From parameters to pixels: drawn four times as large and averaged, without randomness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw

from proxytune.drawn_world.appearance import Appearance
from proxytune.drawn_world.scene import Pose, draw_background
from proxytune.drawn_world.shapes import DARK, draw_layers

# Side of a picture in pixels.
SIZE = 32
# Pixels that are averaged into one, along a side.
FINENESS = 4
# Share of the space above the object in the free height: it stands on the ground, below the middle.
_STANDS = 0.6


@dataclass(frozen=True)
class Picture:
    """A picture and its ground truth.

    Attributes:
        pixels: (32, 32, 3) sRGB levels.
        mask: (32, 32), 255 where the object covers a pixel completely, 0 where it does not.
        appearance, pose: what was drawn.
    """

    pixels: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
    appearance: Appearance
    pose: Pose


def render(appearance: Appearance, pose: Pose, displaced: float = 0.0) -> Picture:
    """Draw an object in a pose.

    Args:
        appearance, pose: what to draw.
        displaced: how far the pattern is right of and below its place, as a share of the object's side.
    """
    canvas = SIZE * FINENESS
    side = int(canvas * pose.scale)
    corner = (
        int((canvas - side) / 2 + pose.right * canvas),
        int((canvas - side) * _STANDS + pose.down * canvas),
    )
    picture, mask = draw_background(pose, canvas), Image.new("L", (canvas, canvas))
    layers = draw_layers(appearance, side)
    cloth = ImageChops.offset(patterned(appearance, side), round(side * displaced))
    parts = ((cloth, layers.body), (appearance.trim, layers.trim), (DARK, layers.dark))
    for paint, part in parts:
        whole = paint if isinstance(paint, Image.Image) else Image.new("RGB", (side, side), paint)
        picture.paste(whole, corner, part)
        mask.paste(255, (*corner, corner[0] + side, corner[1] + side), part)
    return Picture(_shrunk(picture), _shrunk(mask), appearance, pose)


def patterned(appearance: Appearance, side: int) -> Image.Image:
    """The body's colour with its pattern, over the whole square; the mask cuts the body out of it."""
    cloth = Image.new("RGB", (side, side), appearance.body)
    pen = ImageDraw.Draw(cloth)

    def mark(left: float, top: float, right: float, bottom: float) -> None:
        pen.rectangle([side * share for share in (left, top, right, bottom)], appearance.mark)

    if appearance.pattern == "bands":
        for lower in (0.26, 0.60, 0.94):
            mark(0, lower - 0.17, 1, lower)
    elif appearance.pattern == "stripes":
        for middle in (0.16, 0.50, 0.84):
            mark(middle - 0.085, 0, middle + 0.085, 1)
    elif appearance.pattern == "halves":
        mark(0.5, 0, 1, 1)
    elif appearance.pattern == "spot":
        pen.ellipse([side * share for share in (0.30, 0.48, 0.70, 0.88)], appearance.mark)
    return cloth


def _shrunk(drawn: Image.Image) -> npt.NDArray[np.uint8]:
    return np.asarray(drawn.resize((SIZE, SIZE), Image.Resampling.BOX))
