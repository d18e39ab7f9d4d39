"""What a picture shows against what it should show: the exact measures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from PIL import Image

from proxytune.drawn_world.appearance import Appearance
from proxytune.drawn_world.colour import ciede2000, to_lab
from proxytune.drawn_world.ground_truth.finding import Finding, find
from proxytune.drawn_world.ground_truth.parts import coverage
from proxytune.drawn_world.ground_truth.search import PLAIN
from proxytune.drawn_world.scene import CONTEXTS

# The true outline is laid over the found one where it fits best, within these pixels of the canvas: where an
# object stands and how large it is are not part of how it looks.
_MOVES, _SIDES = (-4, -2, 0, 2, 4), (-6, -3, 0, 3, 6)


@dataclass(frozen=True)
class Exact:
    """The measures of one picture.

    Attributes:
        palette: mean CIEDE2000 between the colours found on body, mark and trim and the true ones; 2 is
            hardly visible. Of two plain objects body and trim alone; else a plain one's mark is its body.
        shape: area that the found outline shares with the true one over the area of both together, 0 to 1.
        pattern, category: found, and the true one.
        context: found, and the one that was asked for; None where none was.
    """

    palette: float
    shape: float
    pattern: bool
    category: bool
    context: bool | None


def measure(pictures: Sequence[Image.Image], truth: Appearance, asked: Sequence[str | None]) -> list[Exact]:
    """The exact measures of pictures of any size, against what the subject truly looks like.

    Args:
        pictures: at least one.
        truth: the subject.
        asked: of each picture the context that it should show, of CONTEXTS, or None.
    """
    return [compare(finding, truth, context) for finding, context in zip(find(pictures), asked, strict=True)]


def compare(finding: Finding, truth: Appearance, asked: str | None) -> Exact:
    """What was found against the truth. Where no object stands out there is neither pattern nor outline."""
    category = finding.category == truth.category
    return Exact(
        palette=round(_palette_distance(finding, truth), 6),
        shape=round(_overlap(finding, truth), 6) if finding.category else 0.0,
        pattern=finding.pattern == truth.pattern,
        category=category,
        context=None if asked is None else finding.context == asked,
    )


def asked_context(prompt: str | None) -> str | None:
    """The context of the world that a prompt names; None for none, or for several of them."""
    named = [context for context in CONTEXTS if re.search(rf"\b{re.escape(context)}\b", prompt or "")]
    return named[0] if len(named) == 1 else None


def _palette_distance(finding: Finding, truth: Appearance) -> float:
    pairs = [(finding.body, truth.body), (finding.trim, truth.trim)]
    true_mark = truth.body if truth.pattern == PLAIN else truth.mark
    if finding.place.form.pattern != PLAIN or truth.pattern != PLAIN:
        pairs.append((finding.mark, true_mark))
    found, true = zip(*pairs, strict=True)
    return float(ciede2000(to_lab(found), to_lab(true)).mean())


def _overlap(finding: Finding, truth: Appearance) -> float:
    place = finding.place
    forms = [
        replace(
            place.form,
            category=truth.category,
            pattern=PLAIN,
            side=place.form.side + change,
            build=truth.build,
            stretch=truth.stretch,
        )
        for change in _SIDES
    ]
    places = [
        replace(
            place,
            form=form,
            left=place.left + right - (form.side - place.form.side) // 2,
            top=place.top + down - (form.side - place.form.side) // 2,
        )
        for form in forms
        for right, down in product(_MOVES, _MOVES)
    ]
    masks = coverage(places).sum(1)
    both = np.minimum(masks, finding.mask).sum((1, 2))
    return float((both / np.maximum(masks, finding.mask).sum((1, 2))).max())
