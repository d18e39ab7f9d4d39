"""Prompts of different lengths in one batch: it is full, and its images do not depend on one another."""

import json
from pathlib import Path

import pytest
import torch
from students import CPU, SAMPLER, TINY, chunk

from proxytune.student.families import registry

DATA = Path(__file__).parents[3] / "lib" / "core" / "catalogue" / "data"
PROMPTS = json.loads((DATA / "prompts.json").read_text("utf-8"))["photographs"]["evaluation"]["object"][
    "prompts"
]
MODELS = json.loads((DATA / "models.json").read_text("utf-8"))
REAL = {"llamagen": "llamagen-xl", "lumina": "lumina-mgpt-7b", "janus": "janus-pro-1b"}
# Ids besides those of the words: T5's end; the templates of Lumina and Janus with their special ids.
TEMPLATES = {"llamagen": 1, "lumina": 22, "janus": 12}
SETTINGS = {name: value for name, value in SAMPLER.items() if name != "kind"}
# All have another length.
DIFFERENT = ["ohwx dog", "a ohwx dog in a forest", "a dog", "a photo of a ohwx dog", "ohwx"]
SEEDS = [1, 2, 3, 4, 5]


@pytest.fixture(scope="module", params=sorted(registry.FAMILIES))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def base(name, tiny_model):
    return tiny_model(TINY[name])


@pytest.fixture(scope="module")
def loaded(name, base):
    """The family and its tiny model."""
    family = registry.student_family(name)
    return family, family.load_model(base, device=CPU)


def computed_rows(name, base, monkeypatch):
    """Count the images that a GPU computes for an evaluation by the real model: 25 prompts by 4."""
    recipe = MODELS[REAL[name]]["recipes"]["standard"]
    generator = registry.image_generator(name)
    generator.load(base, None, CPU)
    generator._device = torch.device("cuda")
    family, rows = generator.family, []
    # Tiny tokenizers read letters; those of the real models read a common word as one token.
    monkeypatch.setattr(family, "prompt_length", lambda prompt: TEMPLATES[name] + len(prompt.split()))

    def generate_tokens(model, prompts, seeds, settings):
        rows.append(settings["rows"])
        return torch.zeros(len(seeds), 1)

    monkeypatch.setattr(family, "generate_tokens", generate_tokens)
    monkeypatch.setattr(generator, "_decode", lambda tokens, seed: None)
    pictures = [
        {"index": index, "prompt": PROMPTS[index // 4].format(s="ohwx backpack"), "seed": index}
        for index in range(100)
    ]
    each = recipe["picturesPerChunk"]
    for first in range(0, 100, each):
        part = pictures[first : first + each]
        given = chunk(batch_size=recipe["drawBatch"], variant="base", pictures=part)
        assert len(list(generator.stream(given))) == len(part)
    return sum(rows)


# Of 100 images: with padded prompts, and when only prompts of one length share a batch.
EXPECTED = {"llamagen": (112, 240), "lumina": (104, 160), "janus": (112, 240)}


def test_a_gpu_computes_full_batches(name, base, monkeypatch):
    padded, unpadded = EXPECTED[name]
    assert computed_rows(name, base, monkeypatch) == padded
    monkeypatch.setattr(type(registry.student_family(name)), "prompt_step", 1)
    assert computed_rows(name, base, monkeypatch) == unpadded


def test_the_tokens_are_those_of_each_image_generated_alone_without_padding(name, loaded, monkeypatch):
    family, model = loaded
    assert len({family.padded_length(prompt) for prompt in DIFFERENT}) == 1
    together = family.generate_tokens(model, DIFFERENT, SEEDS, {**SETTINGS, "rows": 8})
    assert len({tuple(row) for row in together.tolist()}) == len(SEEDS)
    monkeypatch.setattr(type(family), "prompt_step", 1)
    assert len({family.padded_length(prompt) for prompt in DIFFERENT}) > 3
    for prompt, seed, tokens in zip(DIFFERENT, SEEDS, together, strict=True):
        (alone,) = family.generate_tokens(model, [prompt], [seed], {**SETTINGS, "rows": None})
        assert torch.equal(tokens, alone)


def test_other_prompts_in_a_batch_change_no_bit_of_an_image(name, base):
    """In bfloat16, where rounding follows the shapes; they are the same for all prompts of a family."""
    family = registry.student_family(name)
    model = family.load_model(base, dtype=torch.bfloat16, device=CPU)

    def second(prompts):
        seeds = [10, 2, 30, 40][: len(prompts)]
        return family.generate_tokens(model, prompts, seeds, {**SETTINGS, "rows": 4})[1]

    expected = second(DIFFERENT[:2])
    assert torch.equal(second(["a dog", DIFFERENT[1], DIFFERENT[3], "ohwx"]), expected)
    assert not torch.equal(second(["a dog", "a dog"]), expected)
