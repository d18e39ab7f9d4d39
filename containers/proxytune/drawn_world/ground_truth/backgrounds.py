"""The contexts without an object, and a search for the one behind an object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from PIL import Image

from proxytune.drawn_world.ground_truth.parts import CANVAS, Floats
from proxytune.drawn_world.render import SIZE
from proxytune.drawn_world.scene import BRIGHTNESS, CONTEXTS, HORIZON, Pose, draw_background

# Rows of the canvas from one height of the horizon to the next: half a pixel.
_ROWS = 2
# The renderer's own jitter, and as much again for what a decoder shifts.
_MOST_OFF = 2 * BRIGHTNESS
# A pixel further off than this (root mean square over its channels, in levels) is not background but object.
_FOREIGN = 40.0
# A pixel this far off is wrong, and no more wrong when it is further off.
_WRONG = 60.0


@dataclass(frozen=True)
class Scene:
    """A background as it fits a picture.

    Attributes:
        context: of CONTEXTS.
        levels: (SIZE, SIZE, 3) sRGB levels, at the brightness that fits.
        error: root mean square difference to the picture, in levels, over the pixels that were compared;
            each pixel counts for `_WRONG` at most, so that a moon in the wrong place matters little.
    """

    context: str
    levels: Floats
    error: float


@lru_cache(maxsize=1)
def all_backgrounds() -> tuple[list[str], Floats]:
    """All contexts with all heights of the horizon, and the moon on either side where there is one.

    Returns:
        The context of each, and their (B, SIZE, SIZE, 3) levels at the middle brightness.
    """
    drawn: dict[bytes, tuple[str, Image.Image]] = {}
    for context in CONTEXTS:
        for row in range(int(CANVAS * HORIZON[0]), int(CANVAS * HORIZON[1]) + 1, _ROWS):
            for moon_left in (True, False):
                pose = Pose(context, 1.0, 0.0, 0.0, (row + 0.5) / CANVAS, 0, moon_left)
                small = draw_background(pose, CANVAS).resize((SIZE, SIZE), Image.Resampling.BOX)
                drawn[small.tobytes()] = (context, small)
    contexts = [context for context, _ in drawn.values()]
    return contexts, np.stack([np.asarray(small, np.float32) for _, small in drawn.values()])


class Scenery:
    """One picture against every background.

    Args:
        picture: (SIZE, SIZE, 3) levels.
    """

    def __init__(self, picture: Floats) -> None:
        self._picture = picture
        self._contexts, self._levels = all_backgrounds()
        off = (picture - self._levels).reshape(len(self._levels), -1, 3)
        # Per background and pixel, over the channels.
        self._mean, self._square = off.mean(2), np.square(off).mean(2)

    def behind(self, weights: Floats) -> Scene:
        """The background that fits best.

        Args:
            weights: (SIZE, SIZE) how surely a pixel shows the background.
        """
        flat = weights.reshape(-1) / max(float(weights.sum()), 1e-6)
        off = self._mean @ flat
        brightness = np.clip(off, -_MOST_OFF, _MOST_OFF)
        errors = self._square @ flat - 2 * brightness * off + brightness**2
        best = int(errors.argmin())
        return self._scene(best, float(brightness[best]), weights)

    @cached_property
    def first_guesses(self) -> list[Scene]:
        """The best background of each context, the most fitting context first.

        Nothing is known about the object yet: a pixel that is far off counts as hidden by it.
        """
        near = self._square < _FOREIGN**2
        brightness = (self._mean * near).sum(1) / np.maximum(near.sum(1), 1)
        unexplained = np.minimum(self._square, _FOREIGN**2).mean(1)
        best: dict[str, int] = {}
        for number in np.argsort(unexplained, kind="stable"):
            best.setdefault(self._contexts[number], int(number))
        everywhere = np.ones(self._picture.shape[:2], np.float32)
        return [self._scene(number, float(brightness[number]), everywhere) for number in best.values()]

    def _scene(self, number: int, brightness: float, weights: Floats) -> Scene:
        bright = min(_MOST_OFF, max(-_MOST_OFF, brightness))
        levels = self._levels[number] + np.float32(bright)
        off = np.minimum(np.square(self._picture - levels).mean(2), _WRONG**2)
        seen = float(weights.sum())
        # Where nothing of the background is visible, there is no evidence for it.
        error = float((off * weights).sum() / seen) ** 0.5 if seen > 0 else _WRONG
        return Scene(self._contexts[number], levels, error)
