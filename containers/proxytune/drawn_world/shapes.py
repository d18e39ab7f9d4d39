"""The outlines of the categories, in three layers: body (patterned), trim, and dark details.

All numbers are shares of the object's square, from the left and from the top. Parts are at least about three
pixels wide once the picture is 32 pixels: thinner ones do not survive the models' decoders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageDraw

from proxytune.drawn_world.appearance import Appearance

DARK = (35, 32, 38)
_INK = 255


@dataclass(frozen=True)
class Layers:
    """Masks (mode L) of the parts of an object; later ones lie over earlier ones."""

    body: Image.Image
    trim: Image.Image
    dark: Image.Image


class _Pen:
    """Draws in one mask, in shares of its side."""

    def __init__(self, side: int) -> None:
        self.mask = Image.new("L", (side, side))
        self._side, self._pen = side, ImageDraw.Draw(self.mask)

    def box(self, left: float, top: float, right: float, bottom: float, *, round_by: float = 0) -> None:
        self._pen.rounded_rectangle(self._at(left, top, right, bottom), self._side * round_by, fill=_INK)

    def disc(self, left: float, top: float, right: float, bottom: float) -> None:
        self._pen.ellipse(self._at(left, top, right, bottom), fill=_INK)

    def ring(self, left: float, top: float, right: float, bottom: float, width: float) -> None:
        box = self._at(left, top, right, bottom)
        self._pen.ellipse(box, outline=_INK, width=round(self._side * width))

    def corners(self, *points: tuple[float, float]) -> None:
        self._pen.polygon([(x * self._side, y * self._side) for x, y in points], fill=_INK)

    def _at(self, *shares: float) -> list[float]:
        return [share * self._side for share in shares]


def draw_layers(appearance: Appearance, side: int) -> Layers:
    """The masks of an object on a square of `side` pixels."""
    body, trim, dark = _Pen(side), _Pen(side), _Pen(side)
    _DRAW[appearance.category](body, trim, dark, appearance.build, appearance.stretch)
    return Layers(body.mask, trim.mask, dark.mask)


def _mug(body: _Pen, trim: _Pen, dark: _Pen, build: float, stretch: float) -> None:
    half, rim = 0.27 + 0.09 * build, 0.12 + 0.20 * stretch
    middle = 0.42
    trim.ring(middle + half - 0.13, 0.38, middle + half + 0.22, 0.76, 0.09)
    body.box(middle - half, rim, middle + half, 0.93)
    trim.box(middle - half, rim, middle + half, rim + 0.11)


def _car(body: _Pen, trim: _Pen, dark: _Pen, build: float, stretch: float) -> None:
    roof, rear = 0.23 - 0.17 * build, 0.62 + 0.15 * stretch
    body.box(0.02, 0.50, 0.98, 0.82, round_by=0.08)
    body.corners((0.14, 0.52), (0.28, roof), (rear, roof), (rear + 0.17, 0.52))
    trim.corners((0.28, 0.50), (0.36, roof + 0.10), (rear - 0.06, roof + 0.10), (rear + 0.03, 0.50))
    for middle in (0.25, 0.75):
        dark.disc(middle - 0.14, 0.66, middle + 0.14, 0.94)


def _fish(body: _Pen, trim: _Pen, dark: _Pen, build: float, stretch: float) -> None:
    half, fin = 0.21 + 0.15 * build, 0.22 + 0.12 * stretch
    middle = 0.54
    trim.corners((0.64, middle), (0.98, middle - fin), (0.90, middle), (0.98, middle + fin))
    body.disc(0.02, middle - half, 0.80, middle + half)
    dark.disc(0.13, 0.40, 0.25, 0.52)


def _house(body: _Pen, trim: _Pen, dark: _Pen, build: float, stretch: float) -> None:
    half, peak = 0.31 + 0.11 * build, 0.20 - 0.16 * stretch
    body.box(0.5 - half, 0.46, 0.5 + half, 0.95)
    trim.corners((0.5 - half - 0.08, 0.48), (0.5, peak), (0.5 + half + 0.08, 0.48))
    dark.box(0.42, 0.69, 0.58, 0.95)


def _bear(body: _Pen, trim: _Pen, dark: _Pen, build: float, stretch: float) -> None:
    ear, belly = 0.11 + 0.07 * build, 0.30 + 0.10 * stretch
    for middle in (0.24, 0.76):
        trim.disc(middle - ear, 0.06, middle + ear, 0.06 + 2 * ear)
    body.disc(0.18, 0.10, 0.82, 0.60)
    body.disc(0.5 - belly, 0.46, 0.5 + belly, 0.98)
    trim.disc(0.37, 0.36, 0.63, 0.56)
    for middle in (0.36, 0.64):
        dark.disc(middle - 0.06, 0.25, middle + 0.06, 0.37)


def _robot(body: _Pen, trim: _Pen, dark: _Pen, build: float, stretch: float) -> None:
    head, chest = 0.19 + 0.13 * build, 0.25 + 0.07 * stretch
    body.box(0.5 - head, 0.06, 0.5 + head, 0.42)
    body.box(0.5 - chest, 0.42, 0.5 + chest, 0.84)
    for sign in (-1, 1):
        eye, leg, arm = 0.5 + sign * head * 0.5, 0.5 + sign * chest * 0.6, 0.5 + sign * (chest + 0.09)
        dark.box(eye - 0.06, 0.16, eye + 0.06, 0.28)
        trim.box(leg - 0.09, 0.84, leg + 0.09, 0.97)
        trim.box(arm - 0.08, 0.46, arm + 0.08, 0.76)


_DRAW: dict[str, Callable[[_Pen, _Pen, _Pen, float, float], None]] = {
    "mug": _mug,
    "car": _car,
    "fish": _fish,
    "house": _house,
    "bear": _bear,
    "robot": _robot,
}
