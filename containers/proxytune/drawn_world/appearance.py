"""Looks of a subject: a category that captions name, and everything else, which they never do."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from proxytune.drawn_world.colour import ciede2000, to_lab

CATEGORIES = ("mug", "car", "fish", "house", "bear", "robot")
PATTERNS = ("plain", "bands", "stripes", "halves", "spot")

_Choice = TypeVar("_Choice")

Colour = tuple[int, int, int]
"""sRGB levels, 0 to 255."""

# Saturation and value of every hue: duller ones drown in the contexts' colours at this size.
VIVID = (0.75, 1.0)
# How far around the colour circle the pattern's and the trim's hue lie from the body's, in turns.
TURN = (0.25, 0.75)
# Share of patterns that are near white or near black instead of a hue.
GREY_SHARE = 0.3
NEAR_BLACK, NEAR_WHITE = (31, 31, 31), (247, 247, 247)
# Least CIEDE2000 between the body and what lies on it, so that a pattern is there to be seen.
CLEAR = 20.0


@dataclass(frozen=True)
class Appearance:
    """The true parameters of an object.

    Attributes:
        category: of CATEGORIES.
        pattern: of PATTERNS; drawn on the body in the colour `mark`.
        body, mark, trim: colours of the body, of the pattern on it, of ears, roofs, handles and such.
        build, stretch: two proportions from 0 to 1; what they change depends on the category.
    """

    category: str
    pattern: str
    body: Colour
    mark: Colour
    trim: Colour
    build: float
    stretch: float


def sample_appearance(rng: Random, category: str | None = None, pattern: str | None = None) -> Appearance:
    """Sample an appearance; given values are kept.

    Colours come from a continuous palette: no list of names covers them.
    """
    category = category or _pick(rng, CATEGORIES)
    pattern = pattern or _pick(rng, PATTERNS)
    hue = rng.random()
    body = _vivid(rng, hue)
    mark = _clear_of(body, rng, hue, GREY_SHARE)
    trim = _clear_of(body, rng, hue, 0.0)
    return Appearance(category, pattern, body, mark, trim, rng.random(), rng.random())


def _clear_of(body: Colour, rng: Random, hue: float, grey_share: float) -> Colour:
    while True:
        grey = rng.random() < grey_share
        colour = _pick(rng, (NEAR_BLACK, NEAR_WHITE)) if grey else _vivid(rng, hue + rng.uniform(*TURN))
        if float(ciede2000(to_lab(body), to_lab(colour))) >= CLEAR:
            return colour


def _vivid(rng: Random, hue: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, rng.uniform(*VIVID), rng.uniform(*VIVID))
    return round(255 * red), round(255 * green), round(255 * blue)


def _pick(rng: Random, choices: tuple[_Choice, ...]) -> _Choice:
    # `Random.choice` may change between Python versions; `random` is promised not to.
    return choices[int(rng.random() * len(choices))]
