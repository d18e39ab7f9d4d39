"""The measures: in order, invariant where they should be, and strict about what is missing."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from constructed import THREE, constructed
from PIL import Image
from softened import sharp

from dev.drawn_subjects.export import ground_truth_of
from dev.drawn_subjects.subjects import SUBJECTS, subject_named
from proxytune.contract.errors import ProxytuneError
from proxytune.drawn_world.appearance import CATEGORIES
from proxytune.drawn_world.ground_truth.measures import measure, prompted_context
from proxytune.drawn_world.ground_truth.scorer import GroundTruthScorer
from proxytune.drawn_world.render import render
from proxytune.drawn_world.scene import CONTEXTS, sample_pose

SUBJECT = subject_named("held-back-robot")


def means(pictures, truth):
    scores = measure(pictures, truth, [None] * len(pictures))
    return {
        name: float(np.mean([getattr(one, name) for one in scores]))
        for name in ("palette", "shape", "pattern")
    }


@pytest.mark.parametrize("name", [subject.name for subject in SUBJECTS if subject.use == "held-back"])
def test_the_subject_a_near_miss_and_another_subject_are_in_order(name):
    subject = subject_named(name)
    found = [means([sharp(one) for one in pictures], subject.appearance) for pictures in constructed(subject)]
    same, near, other = found
    assert same["palette"] + 3 < near["palette"], found
    assert near["palette"] + 3 < other["palette"], found
    assert same["shape"] > near["shape"] > other["shape"], found
    assert same["pattern"] == 1
    assert len(found) == len(THREE)


def test_the_three_differ_in_what_they_should():
    same, near, other = constructed(SUBJECT)
    assert {one.appearance for one in same} == {SUBJECT.appearance}
    assert {one.appearance.category for one in near} == {SUBJECT.category}
    assert SUBJECT.appearance not in {one.appearance for one in near}
    assert {one.appearance.category for one in other} == {SUBJECT.category}


@pytest.mark.parametrize("category", [category for category in CATEGORIES if category != SUBJECT.category])
def test_another_category_is_wrong_and_has_another_outline(category):
    draws = Random(f"another {category}")
    others = [render(replace(SUBJECT.appearance, category=category), sample_pose(draws)) for _ in range(4)]
    for one in measure([sharp(other) for other in others], SUBJECT.appearance, [None] * 4):
        assert not one.category
        assert one.context is None
        # It wears the subject's own colours and pattern, and these are right.
        assert one.pattern
        assert one.palette < 2
        assert one.shape < 0.9


def test_the_context_is_right_or_wrong_by_the_request():
    for context in CONTEXTS:
        picture = sharp(SUBJECT.unseen(context, 1)[0])
        for asked in CONTEXTS:
            assert measure([picture], SUBJECT.appearance, [asked])[0].context is (asked == context)


def test_noise_is_wrong_in_everything():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    score = measure([Image.fromarray(noise)], SUBJECT.appearance, ["at night"])[0]
    assert (score.category, score.pattern, score.context, score.shape) == (False, False, False, 0)
    assert score.palette > 20


def test_a_missing_pattern_costs_its_colour_and_an_absent_one_nothing():
    draws = Random("plain")
    striped, plain = (replace(SUBJECT.appearance, pattern=pattern) for pattern in ("stripes", "plain"))
    picture = sharp(render(plain, sample_pose(draws, "in deep snow")))
    assert measure([picture], plain, [None])[0].palette < 2
    assert measure([picture], striped, [None])[0].palette > 6
    assert not measure([picture], striped, [None])[0].pattern


def test_a_context_is_read_from_a_prompt():
    assert [prompted_context(f"a photo of a ohwx mug {context}") for context in CONTEXTS] == list(CONTEXTS)
    assert prompted_context("a ohwx mug") is None
    assert prompted_context(None) is None
    assert prompted_context("a mug at nightfall") is None
    assert prompted_context("a mug on a wooden table at night") is None


def test_a_scorer_takes_the_ground_truth_from_a_request():
    for subject in SUBJECTS:
        scorer = GroundTruthScorer(subject.category, ground_truth_of(subject.appearance))
        assert scorer.appearance == subject.appearance
    score = GroundTruthScorer(SUBJECT.category, ground_truth_of(SUBJECT.appearance))
    picture = sharp(SUBJECT.unseen("at night", 1)[0])
    night, day, photo = score([picture] * 3, ["a robot at night", "a robot at sunset", None])
    assert (night.context, day.context, photo.context) == (True, False, None)


def test_a_ground_truth_outside_the_domain_is_refused():
    ground_truth = ground_truth_of(SUBJECT.appearance)
    with pytest.raises(ProxytuneError, match=r"category 'dog'.*Allowed: mug, car") as caught:
        GroundTruthScorer("dog", ground_truth)
    assert caught.value.name == "RequestInvalid"
    with pytest.raises(ProxytuneError, match=r"pattern 'dots'.*Allowed: plain"):
        GroundTruthScorer("mug", ground_truth | {"pattern": "dots"})
