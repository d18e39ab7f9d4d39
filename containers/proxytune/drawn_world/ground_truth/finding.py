"""The object and the context that explain a picture best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from proxytune.drawn_world.appearance import PATTERNS, Colour
from proxytune.drawn_world.colour import ciede2000, to_lab
from proxytune.drawn_world.ground_truth.backgrounds import Scene, Scenery
from proxytune.drawn_world.ground_truth.fit import Fits, blurred, fit
from proxytune.drawn_world.ground_truth.parts import Floats, Place
from proxytune.drawn_world.ground_truth.search import PLAIN, coarse_search
from proxytune.drawn_world.render import SIZE

# Blur laid over picture and hypotheses alike while places are compared, so that a picture's own blur matters
# little; and the blurs that a picture is thought to have when its colours are read.
_COMPARED_AT, _BLURS = 0.7, (0.0, 0.5, 0.75, 1.0, 1.25, 1.5)
# Steps of the finer search: pixels of the canvas for the place, for the side, shares for the proportions; and
# how often it repeats the same step while that still helps.
_STEPS = ((2, 3, 1 / 6), (1, 2, 1 / 12), (1, 1, 1 / 24))
_ROUNDS = 4
# Least CIEDE2000 between body and mark at which there is a pattern; in the domain it is 20.
_CONTRAST = 10.0
# Levels from which surroundings look like no context (`Scene.error`): pictures of the models reach 17, also
# those of an untuned student, whose colours bleed; noise, gradients and cut-up pictures begin at 25.
_UNLIKE_SCENE = 21.0
# Least that an object must change of the bare background, in levels, and the share of that which it may leave
# unexplained: objects of the models change 33 at least and leave .67 at most, noise changes 12 and leaves .8.
_LEAST_CHANGE, _UNEXPLAINED = 20.0, 0.75
# Another category is refined too when its coarse error is less than this many times the best.
_CLOSE = 1.4


@dataclass(frozen=True)
class Finding:
    """Result of a search in a picture.

    Attributes:
        place: the outline, pattern and place that explain it best, also where no object stands out.
        scene: the background that explains best the surroundings.
        body, mark, trim: measured colours there; without a pattern the mark has the body's colour.
        mask: (SIZE, SIZE) the share of each pixel that the object covers.
        error: root mean square difference between the picture and this explanation, in levels.
        empty_error: the same for the background alone, without any object.
    """

    place: Place
    scene: Scene
    body: Colour
    mark: Colour
    trim: Colour
    mask: Floats
    error: float
    empty_error: float

    @property
    def category(self) -> str | None:
        """The likeliest category of the object; None where there is none, or nothing looks like one."""
        there = self.empty_error > _LEAST_CHANGE and self.error < _UNEXPLAINED * self.empty_error
        return self.place.form.category if there and self.context is not None else None

    @property
    def pattern(self) -> str | None:
        """The object's pattern; None where there is no object."""
        return None if self.category is None else self.place.form.pattern

    @property
    def context(self) -> str | None:
        """The context; None where the surroundings look like none of them."""
        return self.scene.context if self.scene.error < _UNLIKE_SCENE else None


def find(pictures: Sequence[Image.Image]) -> list[Finding]:
    """The likeliest object and context of each picture, whatever its size."""
    levels = np.stack([_small(picture) for picture in pictures])
    sceneries = [Scenery(picture) for picture in levels]
    found = coarse_search(levels, sceneries)
    return [_look(*one) for one in zip(levels, sceneries, found, strict=True)]


def _small(picture: Image.Image) -> Floats:
    return np.asarray(picture.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX), np.float32)


def _look(picture: Floats, scenery: Scenery, found: list[tuple[float, Place]]) -> Finding:
    looks = [_closer_look(picture, scenery, place) for place in _worth_a_look(found)]
    return min(looks, key=lambda finding: finding.error)


def _worth_a_look(found: list[tuple[float, Place]]) -> list[Place]:
    """The best place, and that of another category where the coarse search hardly separates the two."""
    least, best = found[0]
    rivals = [entry for entry in found if entry[1].form.category != best.form.category]
    return [best, *(place for error, place in rivals[:1] if error < _CLOSE * least)]


def _closer_look(picture: Floats, scenery: Scenery, place: Place) -> Finding:
    """Move to the best place nearby, then read blur, pattern and colours there."""
    place, scene = _best_nearby(picture, scenery, place)
    place, fits = _best_pattern(picture, scene, place)
    body, mark, trim = (_levels(colour) for colour in fits.colours[0])
    return Finding(
        place=place,
        scene=scene,
        body=body,
        mark=body if place.form.pattern == PLAIN else mark,
        trim=trim,
        mask=fits.masks[0],
        error=float(fits.errors[0]) ** 0.5,
        empty_error=float(np.square(picture - scene.levels).mean()) ** 0.5,
    )


def _best_nearby(picture: Floats, scenery: Scenery, place: Place) -> tuple[Place, Scene]:
    soft = blurred(picture.transpose(2, 0, 1), _COMPARED_AT).transpose(1, 2, 0)
    scene = scenery.first_guesses[0]
    for step in _STEPS:
        for _ in range(_ROUNDS):
            places = _neighbours(place, *step)
            fits = fit(soft, places, scene.levels, _COMPARED_AT)
            best = int(fits.errors.argmin())
            scene = scenery.behind(_surely_behind(fits.masks[best]))
            if best == 0:
                break
            place = places[best]
    return place, scene


def _surely_behind(mask: Floats) -> Floats:
    """1 where the object is at least about two pixels away, 0 elsewhere."""
    return (blurred(mask, 1.0) < 0.02).astype(np.float32)


def _best_pattern(picture: Floats, scene: Scene, place: Place) -> tuple[Place, Fits]:
    """The pattern that explains most among those whose mark stands out from the body; else none at all."""
    worn = [replace(place, form=replace(place.form, pattern=pattern)) for pattern in PATTERNS]
    blurs = [(blur, fit(picture, [place], scene.levels, blur)) for blur in _BLURS]
    blur = min(blurs, key=lambda entry: float(entry[1].errors[0]))[0]
    fits = fit(picture, worn, scene.levels, blur)
    lab = to_lab(fits.colours)
    seen = ciede2000(lab[:, 0], lab[:, 1]) >= _CONTRAST
    seen[PATTERNS.index(PLAIN)] = True
    best = int(np.where(seen, fits.errors, np.inf).argmin())
    one = slice(best, best + 1)
    return worn[best], Fits(fits.errors[one], fits.colours[one], fits.masks[one])


def _levels(colour: Floats) -> Colour:
    red, green, blue = (round(float(level)) for level in colour)
    return red, green, blue


def _neighbours(place: Place, shift: int, side: int, share: float) -> list[Place]:
    """The place itself first, then those a step away: shifted, larger or smaller, of other proportions."""
    form = place.form

    def within(value: float) -> float:
        return min(1.0, max(0.0, value))

    def of_side(change: int) -> Place:
        # An object grows from its middle, and upwards more than downwards, as it stands on the ground.
        left, top = place.left - change // 2, place.top - round(change * 0.6)
        return Place(replace(form, side=form.side + change), left, top)

    return [
        *(
            replace(place, left=place.left + right, top=place.top + down)
            for right in (0, -shift, shift)
            for down in (0, -shift, shift)
        ),
        *(of_side(change) for change in (-side, side)),
        *(replace(place, form=replace(form, build=within(form.build + by))) for by in (-share, share)),
        *(replace(place, form=replace(form, stretch=within(form.stretch + by))) for by in (-share, share)),
    ]
