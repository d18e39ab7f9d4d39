"""Where the parts of an object lie: the share of every pixel that each of them covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from proxytune.drawn_world.appearance import Appearance
from proxytune.drawn_world.render import FINENESS, SIZE, patterned
from proxytune.drawn_world.shapes import draw_layers

Floats = npt.NDArray[np.floating[Any]]

# Side of the canvas that pictures are drawn on before they are averaged.
CANVAS = SIZE * FINENESS
# The parts as `coverage` returns them; later ones hide earlier ones, and the body is where no mark is.
BODY, MARK, TRIM, DARK = range(4)
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


@dataclass(frozen=True)
class Form:
    """An object's outline and pattern, without its place.

    Attributes:
        category: of CATEGORIES.
        pattern: of PATTERNS.
        side: of its square, in pixels of the canvas.
        build, stretch: its proportions, 0 to 1.
    """

    category: str
    pattern: str
    side: int
    build: float
    stretch: float


@dataclass(frozen=True)
class Place:
    """A form in a place, in pixels of the canvas from the left and from the top."""

    form: Form
    left: int
    top: int


def coverage(places: Sequence[Place], size: int = SIZE) -> Floats:
    """The share of each pixel that the parts cover.

    Args:
        places: any.
        size: side of the picture; the canvas is averaged down to it.

    Returns:
        (places, 4, size, size), 0 to 1.
    """
    small = np.stack([np.asarray(_placed(place).reduce(CANVAS // size)) for place in places])
    return np.ascontiguousarray(small.transpose(0, 3, 1, 2), np.float32) / 255


def _placed(place: Place) -> Image.Image:
    # Beyond the edges of an image, `crop` finds zeros: nothing covers what lies around the square.
    box = (-place.left, -place.top, CANVAS - place.left, CANVAS - place.top)
    return _parts(place.form).crop(box)


@lru_cache(maxsize=2000)
def _parts(form: Form) -> Image.Image:
    """The parts as the four channels of one image; 2000 of them are about 100 MB."""
    appearance = Appearance(form.category, form.pattern, _BLACK, _WHITE, _BLACK, form.build, form.stretch)
    layers = draw_layers(appearance, form.side)
    body, trim, dark = layers.body, layers.trim, layers.dark
    trim = ImageChops.subtract(trim, dark)
    body = ImageChops.subtract(ImageChops.subtract(body, trim), dark)
    mark = ImageChops.darker(body, patterned(appearance, form.side).getchannel(0))
    # A mode of four plain channels: averaging RGBA would weigh the other three by the last.
    return Image.merge("CMYK", (ImageChops.subtract(body, mark), mark, trim, dark))
