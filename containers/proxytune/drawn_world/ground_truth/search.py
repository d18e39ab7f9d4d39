"""The coarse search: every category in every pattern, on a grid of places, sizes and proportions.

A hypothesis cuts a picture into regions: body, mark, trim, the dark details, and the rest. A good one leaves
little variance of colour within body, mark and trim, and its dark details and its rest look as the
renderer draws them. Sums over regions are products of two matrices, so all hypotheses meet all pictures at
once.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np

from proxytune.drawn_world.appearance import CATEGORIES, PATTERNS
from proxytune.drawn_world.ground_truth.backgrounds import Scenery
from proxytune.drawn_world.ground_truth.parts import (
    BODY,
    CANVAS,
    DARK,
    MARK,
    TRIM,
    Floats,
    Form,
    Place,
    coverage,
)
from proxytune.drawn_world.render import SIZE
from proxytune.drawn_world.shapes import DARK as DARK_COLOUR

# Side of the pictures that the grid is compared with: half, as a look at blurred pictures needs no more.
_COARSE = 16
# The grid. The finer search goes on from its best points, so it only has to come near.
_SIDES = (99, 106, 113)
_PROPORTIONS = (1 / 6, 1 / 2, 5 / 6)
_RIGHT, _DOWN = (-6, -3, 0, 3, 6), (-5, -2, 2, 5)
# Contexts that stay in the race: the best guesses without knowing where the object is.
_CONTEXTS = 3
PLAIN, *_PATTERNED = PATTERNS


def coarse_search(pictures: Floats, sceneries: list[Scenery]) -> list[list[tuple[float, Place]]]:
    """The best place of each category and pattern in each picture.

    Args:
        pictures: (N, SIZE, SIZE, 3) levels.
        sceneries: of the same.

    Returns:
        For each picture a (mean squared error a pixel and channel, place) of every category and pattern, best
        first.
    """
    small = _halved(pictures).reshape(len(pictures), -1, 3)
    # (N, 4, pixels): the levels and the sums of their squares.
    moments = np.concatenate([small.transpose(0, 2, 1), np.square(small).sum(2)[:, None]], axis=1)
    dark = np.square(small - np.asarray(DARK_COLOUR, np.float32)).sum(2)[:, None]
    around = np.stack([_background_errors(*pair) for pair in zip(pictures, sceneries, strict=True)])
    found: list[list[tuple[float, Place]]] = [[] for _ in pictures]
    for category in CATEGORIES:
        places, parts = _grid(category)
        for pattern, errors in _errors(parts, moments, dark, around).items():
            for number, best in enumerate(errors.argmin(1)):
                place = places[best]
                place = replace(place, form=replace(place.form, pattern=pattern))
                found[number].append((float(errors[number, best]) / small[0].size, place))
    return [sorted(entries, key=lambda entry: entry[0]) for entries in found]


@lru_cache(maxsize=len(CATEGORIES))
def _grid(category: str) -> tuple[list[Place], dict[str, Floats]]:
    """All places of a plain object, and for each pattern their (places, 4, pixels) parts."""
    places = [
        Place(
            Form(category, PLAIN, side, build, stretch),
            (CANVAS - side) // 2 + right,
            # Objects stand lower than the middle, as the renderer places them.
            int((CANVAS - side) * 0.6) + down,
        )
        for side, build, stretch in product(_SIDES, _PROPORTIONS, _PROPORTIONS)
        for right, down in product(_RIGHT, _DOWN)
    ]
    parts = {}
    for pattern in _PATTERNED:
        worn = [replace(place, form=replace(place.form, pattern=pattern)) for place in places]
        parts[pattern] = coverage(worn, _COARSE).reshape(len(places), 4, -1)
    return places, parts


def _errors(parts: dict[str, Floats], moments: Floats, dark: Floats, around: Floats) -> dict[str, Floats]:
    """Pattern -> (N, places) squared error of each place.

    Args:
        parts: of `_grid`.
        moments: (N, 4, pixels) levels and sums of squares.
        dark: (N, 1, pixels) squared differences to the dark details' colour.
        around: (N, _CONTEXTS, pixels) squared differences to the likeliest backgrounds.
    """
    any_pattern = parts[_PATTERNED[0]]
    body = any_pattern[:, BODY] + any_pattern[:, MARK]
    object_ = any_pattern.sum(1)
    outside = around.sum(2)[:, :, None] - _product(around, object_)
    common = outside.min(1) + _product(dark, any_pattern[:, DARK])[:, 0]
    common += _spread(_product(moments, any_pattern[:, TRIM]), any_pattern[:, TRIM])
    of_body = _product(moments, body)
    errors = {PLAIN: common + _spread(of_body, body)}
    for pattern, worn in parts.items():
        of_mark = _product(moments, worn[:, MARK])
        errors[pattern] = common + _spread(of_mark, worn[:, MARK]) + _spread(of_body - of_mark, worn[:, BODY])
    return errors


def _spread(sums: Floats, region: Floats) -> Floats:
    """(N, places) squared distance of a region's pixels to their mean, from (N, 4, places) sums over it."""
    return sums[:, 3] - np.square(sums[:, :3]).sum(1) / np.maximum(region.sum(1), 1e-3)


def _product(rows: Floats, regions: Floats) -> Floats:
    """(N, R, pixels) and (places, pixels) -> (N, R, places)."""
    return (rows.reshape(-1, rows.shape[-1]) @ regions.T).reshape(*rows.shape[:-1], -1)


def _background_errors(picture: Floats, scenery: Scenery) -> Floats:
    """(_CONTEXTS, pixels) squared error of the likeliest backgrounds, on the coarse grid."""
    likely = np.stack([scene.levels for scene in scenery.first_guesses[:_CONTEXTS]])
    return np.square(_halved(likely) - _halved(picture[None])).sum(3).reshape(_CONTEXTS, -1)


def _halved(pictures: Floats) -> Floats:
    count, step = len(pictures), SIZE // _COARSE
    return pictures.reshape(count, _COARSE, step, _COARSE, step, 3).mean((2, 4))
