"""Sampling: against the official code written out, and the independence of images."""

import pytest
import torch
from lumina_tiny import LAYOUT, VOCABULARY, tiny_lumina
from torch import nn

from proxytune.student import decoding
from proxytune.student.adapters import add_adapter
from proxytune.student.families.lumina.sampling import sample_tokens

GRID = LAYOUT.grid(96, 64)
PROMPTS = [LAYOUT.prompt([5, 6, 7]), LAYOUT.prompt([9]), LAYOUT.prompt([11, 12, 13, 14, 15])]
SEEDS = [11, 12, 13]


def the_official_way(model, prompt, guidance):
    """One picture: two passes over everything an id, the grammar as a mask over all logits."""
    block = LAYOUT.header(GRID)
    for place in range(GRID.block - 3):
        with torch.no_grad():
            conditional = model(torch.tensor([[*prompt, *block]])).logits[0, -1]
            free = model(torch.tensor([block])).logits[0, -1]
        logits = guidance * (conditional - free) + free
        allowed = torch.full_like(logits, -torch.inf)
        if place == GRID.rows * (GRID.columns + 1):
            allowed[VOCABULARY.end] = 0
        elif (place + 1) % (GRID.columns + 1) == 0:
            allowed[VOCABULARY.row_end] = 0
        else:
            allowed[list(VOCABULARY.codes)] = 0
        block = [*block, int((logits + allowed).argmax())]
    return torch.tensor(block)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
@pytest.mark.parametrize("step", [5, 256])
def test_one_batch_with_a_cache_samples_as_the_official_code(lumina, guidance, step, monkeypatch):
    monkeypatch.setattr(decoding, "WINDOW_STEP", step)
    codes = sample_tokens(lumina, LAYOUT, PROMPTS, GRID, SEEDS, guidance=guidance, temperature=0)
    for prompt, block in zip(PROMPTS, LAYOUT.block(codes, GRID), strict=True):
        assert torch.equal(block, the_official_way(lumina, prompt, guidance))
    assert len(codes.unique()) > 5


@pytest.mark.parametrize(("width", "height"), [(32, 32), (96, 64), (64, 192)])
def test_the_result_is_a_complete_image_of_the_requested_size(lumina, monkeypatch, width, height):
    grid, fed, hidden = LAYOUT.grid(width, height), [], lumina.hidden
    monkeypatch.setattr(lumina, "hidden", lambda ids, **given: fed.append(ids) or hidden(ids, **given))
    codes = sample_tokens(lumina, LAYOUT, PROMPTS[:1], grid, [1], temperature=5.0, top_k=0)
    assert codes.shape == (1, grid.rows * grid.columns)
    block = LAYOUT.block(codes, grid)
    assert torch.equal(LAYOUT.tokens(block, grid), codes)
    # The model was shown this very picture, mark by mark, up to the last code.
    for row, before in ((0, PROMPTS[0]), (1, [])):
        shown = torch.cat([ids[row] for ids in fed]).tolist()
        assert shown[len(shown) - len(before) - grid.block + 3 :] == [*before, *block[0, :-3].tolist()]


@pytest.mark.parametrize("size", [1, 2])
def test_an_image_depends_on_its_seed_not_on_its_batch(lumina, size):
    prompts, seeds = [PROMPTS[0]] * 5, [11, 12, 13, 14, 15]
    together = sample_tokens(lumina, LAYOUT, prompts, GRID, seeds, top_k=20, top_p=0.9)
    assert len({tuple(row.tolist()) for row in together}) == 5
    apart = [
        sample_tokens(lumina, LAYOUT, prompts[s : s + size], GRID, seeds[s : s + size], top_k=20, top_p=0.9)
        for s in range(0, 5, size)
    ]
    assert torch.equal(together, torch.cat(apart))
    backwards = sample_tokens(lumina, LAYOUT, prompts, GRID, seeds[::-1], top_k=20, top_p=0.9)
    assert torch.equal(together, backwards.flip(0))
    padded = sample_tokens(lumina, LAYOUT, prompts[:2], GRID, seeds[:2], top_k=20, top_p=0.9, rows=4)
    assert torch.equal(together[:2], padded)


def test_the_prompt_changes_the_tokens(lumina):
    one, other = (sample_tokens(lumina, LAYOUT, [prompt], GRID, [3], temperature=0) for prompt in PROMPTS[:2])
    assert not torch.equal(one, other)


def test_global_random_states_and_modes_do_not_change(lumina):
    lumina.train()
    lumina.model.layers[1].eval()
    modes = [module.training for module in lumina.modules()]
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = sample_tokens(lumina, LAYOUT, PROMPTS, GRID, SEEDS)
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in lumina.modules()] == modes
    torch.manual_seed(99)
    assert torch.equal(first, sample_tokens(lumina, LAYOUT, PROMPTS, GRID, SEEDS))


def test_an_adapter_changes_the_tokens(lumina):
    plain = sample_tokens(lumina, LAYOUT, PROMPTS, GRID, SEEDS)
    torch.manual_seed(4)
    model = add_adapter(tiny_lumina(), rank=4, alpha=4)
    assert torch.equal(plain, sample_tokens(model, LAYOUT, PROMPTS, GRID, SEEDS))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter)
    assert not torch.equal(plain, sample_tokens(model, LAYOUT, PROMPTS, GRID, SEEDS))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("guidance", {"guidance": 0.5}),
        ("temperature", {"temperature": -1}),
        ("top_k", {"top_k": -1}),
        ("top_p", {"top_p": 0}),
        ("rows", {"rows": 2}),
    ],
)
def test_settings_out_of_range_are_refused_by_name(lumina, name, settings):
    with pytest.raises(ValueError, match=f"^{name} = "):
        sample_tokens(lumina, LAYOUT, PROMPTS, GRID, SEEDS, **settings)


def test_prompts_and_seeds_must_pair(lumina):
    with pytest.raises(ValueError, match="prompts = 3"):
        sample_tokens(lumina, LAYOUT, PROMPTS, GRID, [1])
    with pytest.raises(TypeError, match="Linear given"):
        sample_tokens(nn.Linear(2, 2), LAYOUT, PROMPTS, GRID, SEEDS)
