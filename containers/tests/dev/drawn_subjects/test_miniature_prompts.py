"""The domain's row in lib/core/catalogue/data/prompts.json agrees with the domain's own code."""

import json
from pathlib import Path

import pytest

from dev.drawn_subjects.captions import FRAMES, caption
from dev.pretraining.tokenizers import domain_words
from proxytune.drawn_world.appearance import CATEGORIES, PATTERNS
from proxytune.drawn_world.scene import CONTEXTS

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def domain():
    return json.loads((ROOT / "lib/core/catalogue/data/prompts.json").read_text("utf-8"))["miniature"]


def test_it_has_the_categories_and_exactly_the_words_of_captions(domain):
    assert tuple(domain["categories"]) == CATEGORIES
    assert domain["vocabulary"] == sorted(domain_words())


def test_its_prompts_are_captions_of_the_domain(domain):
    frames = [caption("{s}", frame=frame) for frame in FRAMES]
    assert domain["instance"] == frames
    assert domain["proxy"] == frames[1]
    assert domain["proxyContexts"] == [caption("{s}", context, frame=FRAMES[1]) for context in CONTEXTS]
    (evaluation,) = domain["evaluation"].values()
    assert evaluation["prompts"] == [caption("{s}", context) for context in CONTEXTS]


def test_a_request_may_name_every_pattern():
    schema = json.loads((ROOT / "docs/reference/subject.schema.json").read_text("utf-8"))
    assert tuple(schema["properties"]["truth"]["properties"]["pattern"]["enum"]) == PATTERNS
