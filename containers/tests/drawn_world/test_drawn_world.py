import hashlib
import itertools
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from dev.drawn_subjects.captions import FRAMES, caption, rare_words
from proxytune.drawn_world.appearance import CATEGORIES, CLEAR, PATTERNS, Appearance, sample_appearance
from proxytune.drawn_world.colour import ciede2000, to_lab
from proxytune.drawn_world.render import SIZE, render
from proxytune.drawn_world.scene import CONTEXTS, Pose, draw_background, sample_pose

# Pairs of Lab colours with their difference, from the table of Sharma, Wu and Dalal (2005).
PUBLISHED = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 2.8361, -74.0200), (50.0, 0.0, -82.7485), 3.4412),
    ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((50.0, 2.5, 0.0), (61.0, -5.0, 29.0), 22.8977),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
]

# The rows of a picture that are sky and ground in every pose.
ENDS = (slice(0, 6), slice(26, 32))


def pose(context: str, **changes: object) -> Pose:
    base = {"scale": 0.85, "right": 0.0, "down": 0.0, "horizon": 0.55, "brightness": 0, "moon_left": True}
    return Pose(context, **{**base, **changes})


@pytest.mark.parametrize(("first", "second", "difference"), PUBLISHED)
def test_colour_differences_are_the_published_ones(first, second, difference):
    assert float(ciede2000(first, second)) == pytest.approx(difference, abs=1e-4)
    assert float(ciede2000(second, first)) == pytest.approx(difference, abs=1e-4)


def test_lab_of_white_black_and_red():
    lab = to_lab([[255, 255, 255], [0, 0, 0], [255, 0, 0]])
    # sRGB red: 53.24, 80.09, 67.20 relative to D65.
    np.testing.assert_allclose(lab, [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]], atol=0.02)


def world_digest(seed: int, count: int) -> str:
    draws, digest = Random(seed), hashlib.sha256()
    for _ in range(count):
        picture = render(sample_appearance(draws), sample_pose(draws))
        digest.update(picture.pixels.tobytes() + picture.mask.tobytes())
        digest.update(repr((picture.appearance, picture.pose)).encode())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_pictures_and_another_seed_others():
    assert world_digest(1, 40) == world_digest(1, 40)
    assert world_digest(1, 40) != world_digest(2, 40)


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_mask_is_where_the_object_changes_the_background(category):
    for context, pattern in itertools.product(CONTEXTS, PATTERNS):
        draws = Random(f"{category} {context} {pattern}")
        # Colours that no context has; by chance a black pattern at night or a white one in snow may vanish.
        strange = {"body": (0, 255, 0), "mark": (255, 0, 255), "trim": (0, 255, 255)}
        look = replace(sample_appearance(draws, category, pattern), **strange)
        picture = render(look, sample_pose(draws, context))
        assert picture.pixels.shape == (SIZE, SIZE, 3)
        assert picture.mask.shape == (SIZE, SIZE)
        empty = np.asarray(draw_background(picture.pose, SIZE * 4).resize((SIZE, SIZE), 4))
        difference = np.abs(picture.pixels.astype(int) - empty).max(axis=-1)
        assert difference[picture.mask == 0].max() == 0
        # Dark wheels on the dark ground of a night come close, but not all of them.
        assert (difference[picture.mask == 255] > 1).mean() > 0.95
        # It fills a good part of the picture, and leaves the context to be seen.
        assert 0.15 < picture.mask.mean() / 255 < 0.75


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_colours_that_are_drawn_are_the_true_ones(category):
    for pattern in PATTERNS:
        picture = render(sample_appearance(Random(pattern), category, pattern), pose("in deep snow"))
        inside = {tuple(pixel) for pixel in picture.pixels[picture.mask == 255].tolist()}
        truth = picture.appearance
        shown = {truth.body, truth.trim} | ({truth.mark} if pattern != "plain" else set())
        assert shown <= inside


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("change", ["build", "stretch", "pattern"])
def test_every_parameter_changes_the_picture(category, change):
    low, high = (0.0, 1.0) if change != "pattern" else ("plain", "spot")
    values = {"category": category, "pattern": "spot", "build": 0.5, "stretch": 0.5}
    colours = {"body": (200, 60, 60), "mark": (60, 60, 220), "trim": (60, 200, 60)}
    one, other = (
        render(Appearance(**{**values, **colours, change: value}), pose("in deep snow")).pixels.astype(int)
        for value in (low, high)
    )
    assert (np.abs(one - other).max(axis=-1) > 40).sum() >= 10


def test_contexts_are_distinct_by_their_background_alone():
    means = []
    for context in CONTEXTS:
        pictures = [np.asarray(draw_background(sample_pose(Random(n), context), 32)) for n in range(8)]
        means.append(to_lab(np.stack([np.mean([p[rows] for p in pictures], (0, 1, 2)) for rows in ENDS])))
    for one, other in itertools.combinations(means, 2):
        assert float(ciede2000(one, other).max()) > 12


def test_mark_and_trim_differ_clearly_from_the_body():
    draws = Random(4)
    drawn = [sample_appearance(draws) for _ in range(300)]
    for look in drawn:
        for colour in (look.mark, look.trim):
            assert float(ciede2000(to_lab(look.body), to_lab(colour))) >= CLEAR
    assert {look.category for look in drawn} == set(CATEGORIES)
    assert {look.pattern for look in drawn} == set(PATTERNS)
    # A continuous palette: hardly any colour comes twice.
    assert len({look.body for look in drawn}) > 290


def test_captions_name_category_and_context_only():
    assert caption("mug") == "a photo of a mug"
    assert caption("mug", "at night", "ohwx", FRAMES[1]) == "a ohwx mug at night"


def test_rare_words_mean_nothing_and_survive_the_students_text_pipeline():
    from proxytune.student.families.llamagen import clean_for_model

    words = rare_words(200, 0, frozenset(CATEGORIES))
    assert words == rare_words(200, 0, frozenset(CATEGORIES))
    assert len(set(words)) == 200
    assert not set(words) & {*CATEGORIES, "photo"}
    for text in [caption("car", context, words[0]) for context in CONTEXTS]:
        assert clean_for_model(text) == text
