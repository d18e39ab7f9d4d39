"""Descriptions that the measuring CLIP reads: unlike the generators' captions they name how things look.

Real CLIP knows colours and patterns, which is why its likeness of two pictures says something about subjects.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dev.drawn_subjects.captions import FRAMES
from dev.pretraining.corpus import Corpus
from proxytune.drawn_world.appearance import CATEGORIES, PATTERNS
from proxytune.drawn_world.colour import ciede2000, to_lab
from proxytune.drawn_world.scene import CONTEXTS

# sRGB levels that the names stand for; a colour has the name that is nearest by CIEDE2000.
NAMES: dict[str, tuple[int, int, int]] = {
    "red": (225, 25, 25),
    "orange": (235, 130, 25),
    "yellow": (235, 225, 30),
    "lime": (140, 225, 30),
    "green": (30, 190, 50),
    "mint": (35, 225, 150),
    "cyan": (35, 215, 225),
    "blue": (30, 120, 225),
    "navy": (45, 40, 220),
    "purple": (130, 40, 225),
    "magenta": (220, 40, 220),
    "pink": (230, 40, 130),
    "black": (31, 31, 31),
    "white": (247, 247, 247),
}
# Shares of descriptions without the look of the object, and without the context, as prompts are.
WITHOUT_LOOK, WITHOUT_CONTEXT = 0.2, 0.2


def words() -> frozenset[str]:
    """Every word of a description besides the domain's own."""
    return frozenset({*NAMES, *PATTERNS, "with", "and", "trim"})


def names_of(colours: np.ndarray) -> np.ndarray:
    """Numbers in NAMES of the nearest names: (..., 3) sRGB levels to (...)."""
    distances = ciede2000(to_lab(colours)[..., None, :], to_lab(list(NAMES.values())))
    return np.argmin(distances, axis=-1)


def describe(corpus: Corpus, numbers: Tensor, rng: torch.Generator) -> list[str]:
    """One description of each picture."""
    look = torch.rand(len(numbers), generator=rng) >= WITHOUT_LOOK
    where = torch.rand(len(numbers), generator=rng) >= WITHOUT_CONTEXT
    frame = torch.randint(len(FRAMES), (len(numbers),), generator=rng)
    return [
        _description(corpus, number, _colour_names(corpus, number), FRAMES[frame], look, where)
        for number, frame, look, where in zip(
            numbers.tolist(), frame.tolist(), look.tolist(), where.tolist(), strict=True
        )
    ]


def true_descriptions(corpus: Corpus, number: int) -> frozenset[str]:
    """Every text that `describe` can say of an image."""
    names = _colour_names(corpus, number)
    return frozenset(
        _description(corpus, number, names, frame, look, where)
        for frame in FRAMES
        for look in (False, True)
        for where in (False, True)
    )


def _colour_names(corpus: Corpus, number: int) -> list[str]:
    """Names of body, mark and trim."""
    names = list(NAMES)
    return [names[name] for name in names_of(corpus.colours[number])]


def _description(corpus: Corpus, number: int, names: list[str], frame: str, look: bool, where: bool) -> str:
    body, mark, trim = names
    pattern, category = PATTERNS[corpus.pattern[number]], CATEGORIES[corpus.category[number]]
    parts = [frame]
    if look:
        on_body = f"{pattern} and" if pattern == "plain" else f"{mark} {pattern} and"
        parts += [body, category, "with", on_body, trim, "trim"]
    else:
        parts.append(category)
    if where:
        parts.append(CONTEXTS[corpus.context[number]])
    return " ".join(parts)
