"""Images of a subject with one planted defect each, and how large the defect is in the pixels of the subject.

The defect is planted before rendering, so the same pose without it is known, and with it the true damage: the
mean CIEDE2000 between both over the pixels of the subject.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from proxytune.drawn_world.appearance import PATTERNS, Appearance, Colour, sample_appearance
from proxytune.drawn_world.colour import ciede2000, to_lab
from proxytune.drawn_world.render import Picture, render
from proxytune.drawn_world.scene import CONTEXTS, Pose, sample_pose

REFERENCES = 5
"""References of a subject; DreamBooth (Ruiz et al. 2023) uses 3 to 5."""
HUES = (5, 10, 20, 30, 40)
"""Degrees by which a hue is shifted."""
BLURS = (0.5, 1.0, 1.5, 2.0)
"""Radii in pixels of an image of 32."""
MOVES = (0.05, 0.1, 0.15)
"""How far a pattern is displaced right and down: shares of the subject's side. Stripes repeat after 0.34."""
CLEAN = 8
"""Images of a subject without a defect."""
CONTEXT_DEFECTS = 3
"""Images of a subject in a wrong context, and as many in none."""


@dataclass(frozen=True)
class Planted:
    """An image with a defect.

    Attributes:
        kind: none, hue, mark, displaced, pattern, trim, blur, wrong-context or no-context.
        size: of the defect: degrees, pixels, a share of the subject's side, or 1.
        image: what the measures see.
        requested: the context of its prompt.
        damage: mean CIEDE2000 to the same image without the defect over the subject's pixels; 0 where only
            the background is wrong.
    """

    kind: str
    size: float
    image: Image.Image
    requested: str
    damage: float


@dataclass(frozen=True)
class AuditSubject:
    """A subject, its references in two contexts, and its images with and without defects in all contexts."""

    name: str
    appearance: Appearance
    references: list[Image.Image]
    planted: list[Planted]


def audit_subjects(count: int) -> Iterator[AuditSubject]:
    """Render subjects that no model and no threshold has seen; a larger count begins with the same ones."""
    for number in range(count):
        name = f"audit-{number:03d}"
        rng = Random(name)
        appearance = _vivid_appearance(rng)
        contexts = rng.sample(CONTEXTS, 2)
        references = [render(appearance, sample_pose(rng, contexts[at % 2])) for at in range(REFERENCES)]
        planted = list(_planted(appearance, rng))
        yield AuditSubject(name, appearance, [as_image(one) for one in references], planted)


def _vivid_appearance(rng: Random) -> Appearance:
    """An appearance with a pattern whose colour has a hue that can be shifted."""
    while True:
        appearance = sample_appearance(rng)
        if appearance.pattern != "plain" and max(appearance.mark) - min(appearance.mark) > 64:
            return appearance


def _planted(appearance: Appearance, rng: Random) -> Iterator[Planted]:
    changes = [("none", 0.0, appearance)] * CLEAN
    changes += [("hue", float(by), replace(appearance, body=shifted(appearance.body, by))) for by in HUES]
    changes += [("mark", float(by), replace(appearance, mark=shifted(appearance.mark, by))) for by in HUES]
    others = [pattern for pattern in PATTERNS if pattern != appearance.pattern]
    changes += [("pattern", 1.0, replace(appearance, pattern=pattern)) for pattern in others]
    changes += [("trim", 1.0, replace(appearance, trim=appearance.body))] * 2
    for kind, size, changed in changes:
        pose = sample_pose(rng)
        clean = render(appearance, pose)
        damaged = as_image(render(changed, pose))
        yield Planted(kind, size, damaged, pose.context, damage(damaged, clean))
    for by in MOVES:
        pose = sample_pose(rng)
        displaced = as_image(render(appearance, pose, by))
        yield Planted("displaced", by, displaced, pose.context, damage(displaced, render(appearance, pose)))
    for radius in BLURS:
        pose = sample_pose(rng)
        clean = render(appearance, pose)
        blurred = as_image(clean).filter(ImageFilter.GaussianBlur(radius))
        yield Planted("blur", radius, blurred, pose.context, damage(blurred, clean))
    for _ in range(CONTEXT_DEFECTS):
        pose = sample_pose(rng)
        wrong = rng.choice([context for context in CONTEXTS if context != pose.context])
        yield Planted("wrong-context", 1.0, as_image(render(appearance, _in(pose, wrong))), pose.context, 0.0)
        yield Planted("no-context", 1.0, _without_context(render(appearance, pose)), pose.context, 0.0)


def shifted(colour: Colour, degrees: float) -> Colour:
    """The colour with its hue shifted around the circle."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(level / 255 for level in colour))
    red, green, blue = colorsys.hsv_to_rgb((hue + degrees / 360) % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def damage(image: Image.Image, clean: Picture) -> float:
    """Mean CIEDE2000 between an image and the clean picture of the same pose, over the subject's pixels."""
    covered = clean.mask >= 128
    pixels: npt.NDArray[np.uint8] = np.asarray(image)
    return float(ciede2000(to_lab(pixels[covered]), to_lab(clean.pixels[covered])).mean())


def _in(pose: Pose, context: str) -> Pose:
    return replace(pose, context=context)


def _without_context(picture: Picture) -> Image.Image:
    """The picture with its background in one colour, the mean of itself."""
    pixels = picture.pixels.copy()
    around = picture.mask == 0
    pixels[around] = pixels[around].mean(0).round().astype(np.uint8)
    return Image.fromarray(pixels)


def as_image(picture: Picture) -> Image.Image:
    """The pixels of a drawn picture."""
    return Image.fromarray(picture.pixels)
