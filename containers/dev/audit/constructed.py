"""Constructed models: what a teacher or student with a known defect would generate of a subject.

Learnt are images without a defect, or with one that hardly shows. Not learnt are those that show something
else. Cases between the two are left out, since people would not agree on them either: hues 10 to 30 degrees
off, parts of the subject lost (its trim, its proportions), and up to half of the images showing something
else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from PIL import Image, ImageFilter

from dev.audit.defects import as_image, shifted
from proxytune.drawn_world.appearance import CATEGORIES, CLEAR, PATTERNS, Appearance, sample_appearance
from proxytune.drawn_world.colour import ciede2000, to_lab
from proxytune.drawn_world.render import render
from proxytune.drawn_world.scene import CONTEXTS, sample_pose

PER_PROMPT = 4
"""Images of each prompt, as a run generates by default; a prompt for each context."""
SLIGHT, FAR = 5.0, 40.0
"""Degrees by which all hues of a subject are off."""
BLUR = 0.5
"""Pixels of an image of 32."""

LEARNT = ("right", "hues 5 off", "blurred by 0.5", "1 of 8 another subject")
"""Kinds of models that learnt the subject."""
NOT_LEARNT = ("another subject", "untuned", "hues 40 off", "another pattern", "half another subject")
"""Kinds of models that did not."""


@dataclass(frozen=True)
class VerdictSubject:
    """A subject with its photos in two contexts, and another one of its category."""

    appearance: Appearance
    other: Appearance
    photos: list[Image.Image]


def verdict_subject(rng: Random, photos: int) -> VerdictSubject:
    """Sample a subject. The other one has a body of another colour: CIEDE2000 of CLEAR at least."""
    appearance = sample_appearance(rng)
    while True:
        other = sample_appearance(rng, appearance.category)
        if float(ciede2000(to_lab(appearance.body), to_lab(other.body))) >= CLEAR:
            break
    contexts = rng.sample(CONTEXTS, 2)
    images = [_drawn(appearance, contexts[at % 2], rng) for at in range(photos)]
    return VerdictSubject(appearance, other, images)


def constructed(subject: VerdictSubject, kind: str, rng: Random) -> list[Image.Image]:
    """The images of a model, PER_PROMPT of each context in turn.

    Args:
        subject: that the model should show.
        kind: of LEARNT or NOT_LEARNT, other than untuned.
        rng: of poses and of what the kind leaves open.

    Raises:
        KeyError: an unknown kind.
    """
    itself = subject.appearance
    pattern = rng.choice([one for one in PATTERNS if one != itself.pattern])
    shown: dict[str, Callable[[int], Appearance]] = {
        "right": lambda _: itself,
        "hues 5 off": lambda _: _all_shifted(itself, SLIGHT),
        "blurred by 0.5": lambda _: itself,
        "1 of 8 another subject": lambda at: itself if at % 8 else subject.other,
        "another subject": lambda _: subject.other,
        "hues 40 off": lambda _: _all_shifted(itself, FAR),
        "another pattern": lambda _: replace(itself, pattern=pattern),
        "half another subject": lambda at: itself if at % 2 else subject.other,
    }
    of = shown[kind]
    images = [_drawn(of(at), context, rng) for at, context in enumerate(prompts())]
    if kind == "blurred by 0.5":
        return [image.filter(ImageFilter.GaussianBlur(BLUR)) for image in images]
    return images


def untuned(per_context: int, rng: Random) -> dict[str, list[Image.Image]]:
    """By category, images of any appearance: what an untuned model generates of a new word."""
    return {
        category: [
            _drawn(sample_appearance(rng, category), context, rng)
            for context in CONTEXTS
            for _ in range(per_context)
        ]
        for category in CATEGORIES
    }


def prompts() -> list[str]:
    """The context of each image of a model."""
    return [context for context in CONTEXTS for _ in range(PER_PROMPT)]


def _all_shifted(appearance: Appearance, degrees: float) -> Appearance:
    return replace(
        appearance,
        body=shifted(appearance.body, degrees),
        mark=shifted(appearance.mark, degrees),
        trim=shifted(appearance.trim, degrees),
    )


def _drawn(appearance: Appearance, context: str, rng: Random) -> Image.Image:
    return as_image(render(appearance, sample_pose(rng, context)))
