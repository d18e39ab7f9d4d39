"""Pictures in a known order: a subject, a near miss, another subject of its category."""

from __future__ import annotations

import colorsys
from dataclasses import replace
from random import Random

from dev.drawn_subjects.subjects import Subject
from proxytune.drawn_world.appearance import Appearance, Colour, sample_appearance
from proxytune.drawn_world.colour import ciede2000, to_lab
from proxytune.drawn_world.render import Picture, render
from proxytune.drawn_world.scene import sample_pose

THREE = ("the subject", "a near miss", "another subject")
EACH = 8


def constructed(subject: Subject) -> tuple[list[Picture], list[Picture], list[Picture]]:
    """Other views of the subject, views of a near miss, and views of other subjects, in the same poses."""
    draws = Random(f"constructed {subject.name}")
    truth = subject.appearance
    looks = (
        [truth] * EACH,
        [near_miss(truth)] * EACH,
        [another(truth, Random(f"{subject.name} {number}")) for number in range(EACH)],
    )
    poses = [sample_pose(draws) for _ in range(EACH)]
    same, near, other = ([render(look, pose) for look, pose in zip(of, poses, strict=True)] for of in looks)
    return same, near, other


def near_miss(truth: Appearance) -> Appearance:
    """Every colour a twelfth of the circle away, and slightly other proportions."""
    return replace(
        truth,
        body=_turned(truth.body),
        mark=_turned(truth.mark),
        trim=_turned(truth.trim),
        build=_shifted(truth.build, 0.3),
        stretch=_shifted(truth.stretch, 0.3),
    )


def another(truth: Appearance, draws: Random) -> Appearance:
    """A subject of this category that looks like another one to anybody: in every colour, and in pattern."""
    while True:
        drawn = sample_appearance(draws, truth.category)
        far = [
            float(ciede2000(to_lab(getattr(drawn, part)), to_lab(getattr(truth, part)))) > 30
            for part in ("body", "mark", "trim")
        ]
        if all(far) and drawn.pattern != truth.pattern:
            wide = {part: _shifted(getattr(truth, part), 0.5) for part in ("build", "stretch")}
            return replace(drawn, **wide)


def _turned(colour: Colour) -> Colour:
    hue, saturation, value = colorsys.rgb_to_hsv(*(level / 255 for level in colour))
    red, green, blue = colorsys.hsv_to_rgb((hue + 1 / 12) % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def _shifted(share: float, by: float) -> float:
    return share - by if share > 0.5 else share + by
