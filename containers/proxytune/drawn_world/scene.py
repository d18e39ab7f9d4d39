"""Surroundings and pose of an object; contexts are drawn as a few flat bands.

Backgrounds are flat on purpose. With flakes, stars, planks and blades of grass the small models spend
their capacity on unpredictable speckle, and the object stays patchy.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from proxytune.drawn_world.appearance import Colour

# As captions name them; the evaluation prompts of prompts.json name them.
CONTEXTS = (
    "at sunset",
    "in deep snow",
    "on a sandy beach",
    "on a wooden table",
    "on a green lawn",
    "at night",
)
# Lightness may be off by this many levels, all channels alike.
BRIGHTNESS = 5
# Height of the horizon as a share of the picture.
HORIZON = (0.50, 0.62)

# The colours above and below the horizon.
_BANDS: dict[str, tuple[Colour, Colour]] = {
    "at sunset": ((190, 70, 110), (85, 50, 70)),
    "in deep snow": ((180, 190, 205), (245, 247, 250)),
    "on a sandy beach": ((150, 205, 240), (235, 210, 150)),
    "on a wooden table": ((225, 215, 195), (150, 95, 50)),
    "on a green lawn": ((170, 215, 245), (90, 165, 70)),
    "at night": ((18, 20, 60), (40, 42, 50)),
}
_SUNSET_LOW: Colour = (250, 170, 70)
_SEA: Colour = (40, 130, 190)
_MOON: Colour = (245, 240, 200)


@dataclass(frozen=True)
class Pose:
    """Differences between two pictures of one object.

    Attributes:
        context: of CONTEXTS.
        scale: side of the object's square as a share of the picture.
        right, down: its shift from the usual place, as shares of the picture.
        horizon: height of the horizon as a share of the picture.
        brightness: levels added to the whole background.
        moon_left: on which side the moon stands, where there is one.
    """

    context: str
    scale: float
    right: float
    down: float
    horizon: float
    brightness: int
    moon_left: bool


def sample_pose(rng: Random, context: str | None = None) -> Pose:
    """Sample a pose, in `context` when one is given. Objects are not mirrored or turned."""
    chosen = CONTEXTS[int(rng.random() * len(CONTEXTS))]
    return Pose(
        context=context or chosen,
        scale=rng.uniform(0.76, 0.90),
        right=rng.uniform(-0.06, 0.06),
        down=rng.uniform(-0.04, 0.04),
        horizon=rng.uniform(*HORIZON),
        brightness=round(rng.uniform(-BRIGHTNESS, BRIGHTNESS)),
        moon_left=rng.random() < 0.5,
    )


def draw_background(pose: Pose, side: int) -> Image.Image:
    """The context without the object, `side` pixels square."""
    high, low = _BANDS[pose.context]
    picture = Image.new("RGB", (side, side), _lit(low, pose))
    pen = ImageDraw.Draw(picture)
    horizon = int(side * pose.horizon)
    pen.rectangle([0, 0, side, horizon], _lit(high, pose))
    if pose.context == "at sunset":
        for row in range(horizon):
            pen.line([0, row, side, row], _lit(_between(high, _SUNSET_LOW, row / horizon), pose))
    elif pose.context == "on a sandy beach":
        pen.rectangle([0, horizon - side // 8, side, horizon], _lit(_SEA, pose))
    elif pose.context == "at night":
        left = int(side * (0.05 if pose.moon_left else 0.76))
        top, width = int(side * 0.05), int(side * 0.19)
        pen.ellipse([left, top, left + width, top + width], _MOON)
    return picture


def _lit(colour: Colour, pose: Pose) -> Colour:
    red, green, blue = (max(0, min(255, level + pose.brightness)) for level in colour)
    return red, green, blue


def _between(start: Colour, end: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return red, green, blue
