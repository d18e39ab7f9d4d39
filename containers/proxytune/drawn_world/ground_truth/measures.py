"""The exact measures: the object found in a picture against the ground truth."""

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

# The true outline is laid over the found one where it fits best, within these pixels of the canvas: place and
# size of an object are not part of its looks.
_MOVES, _SIDES = (-4, -2, 0, 2, 4), (-6, -3, 0, 3, 6)


@dataclass(frozen=True)
class Exact:
    """The measures of one picture.

    Attributes:
        palette: mean CIEDE2000 between the colours found on body, mark and trim and the true ones; 2 is
            hardly visible. Of two plain objects body and trim alone; else a plain one's mark is its body.
        shape: area that the found outline shares with the true one over the area of both together, 0 to 1.
        pattern, category: the one found is the true one.
        context: the one found is the requested one; None where none was requested.
    """

    palette: float
    shape: float
    pattern: bool
    category: bool
    context: bool | None


def measure(
    pictures: Sequence[Image.Image], appearance: Appearance, requested: Sequence[str | None]
) -> list[Exact]:
    """Measure pictures of any size against the ground truth of the subject.

    Args:
        pictures: at least one.
        appearance: the subject's.
        requested: of each picture the context that it should show, of CONTEXTS, or None.
    """
    return [
        compare(finding, appearance, context)
        for finding, context in zip(find(pictures), requested, strict=True)
    ]


def compare(finding: Finding, appearance: Appearance, requested: str | None) -> Exact:
    """Compare a finding with the ground truth. Without an object there is neither pattern nor outline."""
    category = finding.category == appearance.category
    return Exact(
        palette=round(_palette_distance(finding, appearance), 6),
        shape=round(_overlap(finding, appearance), 6) if finding.category else 0.0,
        pattern=finding.pattern == appearance.pattern,
        category=category,
        context=None if requested is None else finding.context == requested,
    )


def prompted_context(prompt: str | None) -> str | None:
    """The context of the domain that a prompt names; None for none, or for several of them."""
    named = [context for context in CONTEXTS if re.search(rf"\b{re.escape(context)}\b", prompt or "")]
    return named[0] if len(named) == 1 else None


def _palette_distance(finding: Finding, appearance: Appearance) -> float:
    pairs = [(finding.body, appearance.body), (finding.trim, appearance.trim)]
    true_mark = appearance.body if appearance.pattern == PLAIN else appearance.mark
    if finding.place.form.pattern != PLAIN or appearance.pattern != PLAIN:
        pairs.append((finding.mark, true_mark))
    found, true = zip(*pairs, strict=True)
    return float(ciede2000(to_lab(found), to_lab(true)).mean())


def _overlap(finding: Finding, appearance: Appearance) -> float:
    place = finding.place
    forms = [
        replace(
            place.form,
            category=appearance.category,
            pattern=PLAIN,
            side=place.form.side + change,
            build=appearance.build,
            stretch=appearance.stretch,
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
