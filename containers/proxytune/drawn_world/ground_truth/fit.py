"""Error and colours of an object in a place as the explanation of a picture: least squares over the parts.

A picture is taken as what the parts cover, each in one colour, before the context's background, and all of it
blurred: a decoder's softness then costs little, and the colours are those before the blur.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from proxytune.drawn_world.ground_truth.parts import BODY, DARK, Floats, Place, coverage
from proxytune.drawn_world.render import SIZE
from proxytune.drawn_world.shapes import DARK as DARK_COLOUR

# Keeps a part that covers (almost) nothing from having any colour at all; the others cover tens of pixels.
_RIDGE = 1e-2


@dataclass(frozen=True)
class Fits:
    """One fit a place.

    Attributes:
        errors: (P,) mean squared error a pixel and channel.
        colours: (P, 3, 3) levels of the unmarked body, the mark, and the trim. What covers nothing is black.
        masks: (P, SIZE, SIZE) the share of each pixel that the object covers.
    """

    errors: Floats
    colours: Floats
    masks: Floats


def fit(picture: Floats, places: Sequence[Place], scene: Floats, blur: float) -> Fits:
    """Fit the colours of an object in several places.

    Args:
        picture: (SIZE, SIZE, 3) levels.
        places: where the object may be.
        scene: (SIZE, SIZE, 3) the background without the object.
        blur: standard deviation in pixels of the blur that the picture is thought to have.
    """
    parts = coverage(places)
    masks = parts.sum(1)
    known = (1 - masks)[:, None] * scene.transpose(2, 0, 1)
    known += parts[:, DARK, None] * np.asarray(DARK_COLOUR, np.float32)[:, None, None]
    soft = blurred(np.concatenate([parts[:, BODY:DARK], known], axis=1), blur)
    soft = soft.reshape(len(places), 6, -1)
    shapes = soft[:, :3]
    rest = picture.transpose(2, 0, 1).reshape(1, 3, -1) - soft[:, 3:]
    # (P, part, part) and (P, part, channel).
    overlap = shapes @ shapes.transpose(0, 2, 1)
    wanted = shapes @ rest.transpose(0, 2, 1)
    colours = np.linalg.solve(overlap + _RIDGE * np.eye(3, dtype=np.float32), wanted)
    # No colour lies outside of what a picture holds; the error is that of the colours as they then are.
    colours = np.clip(colours, 0, 255)
    squared = np.square(rest).sum((1, 2)) - 2 * (colours * wanted).sum((1, 2))
    squared += (colours * (overlap @ colours)).sum((1, 2))
    return Fits(squared / picture.size, colours, masks)


def blurred(maps: Floats, deviation: float) -> Floats:
    """(..., SIZE, SIZE) maps under a Gaussian blur; at the edges only what is inside counts."""
    if deviation == 0:
        return maps
    kernel = _kernel(deviation)
    return kernel @ maps @ kernel.T


@lru_cache(maxsize=16)
def _kernel(deviation: float) -> Floats:
    at = np.arange(SIZE)
    weights = np.exp(-(((at[:, None] - at) / deviation) ** 2) / 2)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
