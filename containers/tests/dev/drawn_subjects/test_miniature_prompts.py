"""The world's row in lib/core/catalogue/data/prompts.json says what the world's own code says."""

import json
from pathlib import Path

import pytest

from dev.drawn_subjects.captions import FRAMES, caption
from dev.pretraining.tokenizers import world_words
from proxytune.drawn_world.appearance import CATEGORIES, PATTERNS
from proxytune.drawn_world.scene import CONTEXTS

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def world():
    return json.loads((ROOT / "lib/core/catalogue/data/prompts.json").read_text("utf-8"))["miniature"]


def test_it_holds_the_categories_and_exactly_the_words_that_captions_can_hold(world):
    assert tuple(world["categories"]) == CATEGORIES
    assert world["vocabulary"] == sorted(world_words())


def test_its_prompts_are_captions_of_the_world(world):
    frames = [caption("{s}", frame=frame) for frame in FRAMES]
    assert world["instance"] == frames
    assert world["proxy"] == frames[1]
    assert world["proxyContexts"] == [caption("{s}", context, frame=FRAMES[1]) for context in CONTEXTS]
    assert world["evaluation"] == [caption("{s}", context) for context in CONTEXTS]


def test_a_request_may_name_every_pattern():
    schema = json.loads((ROOT / "docs/reference/subject.schema.json").read_text("utf-8"))
    assert tuple(schema["properties"]["truth"]["properties"]["pattern"]["enum"]) == PATTERNS
