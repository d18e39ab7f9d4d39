"""Sampling: guidance, filters, random streams, and no traces on the model."""

import pytest
import torch

from proxytune.student.families.llamagen import sample_tokens
from proxytune.student.sampling import filtered_probabilities, sample_rows

SEEDS = [11, 12, 13, 14, 15]


def greedy_without_cache(model, features, mask, guidance):
    drawn = torch.zeros(len(features), 0, dtype=torch.long)
    nothing, everything = (
        torch.zeros(len(features), dtype=torch.bool),
        torch.ones(len(features), dtype=torch.bool),
    )
    for _ in range(model.config.block_size):
        conditional = model(drawn, features, mask, nothing)[:, -1]
        null = model(drawn, features, mask, everything)[:, -1]
        guided = null + guidance * (conditional - null)
        drawn = torch.cat([drawn, guided.argmax(dim=-1, keepdim=True)], dim=1)
    return drawn


@pytest.mark.parametrize("guidance", [1.0, 4.0])
@pytest.mark.parametrize("shapes", [{"official": True}, {"trim": False}, {"trim": True}], ids=str)
def test_the_cache_changes_no_token(gpt, padded, guidance, shapes):
    with torch.no_grad():
        expected = greedy_without_cache(gpt, *padded, guidance)
    drawn = sample_tokens(gpt, *padded, [0, 1, 2], guidance=guidance, temperature=0, **shapes)
    assert torch.equal(drawn, expected)
    assert len(torch.unique(drawn)) > 5


def test_one_caption_without_padding_serves_all_seeds(gpt, padded):
    features, mask = padded[0][:1, -3:], padded[1][:1, -3:]
    alone = sample_tokens(gpt, features, None, SEEDS, top_k=0)
    assert torch.equal(alone, sample_tokens(gpt, padded[0][:1], padded[1][:1], SEEDS, top_k=0))
    assert torch.equal(alone, sample_tokens(gpt, features, mask, SEEDS, top_k=0, official=True))
    assert len({tuple(row.tolist()) for row in alone}) == len(SEEDS)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_an_image_depends_on_its_seed_not_on_its_batch(gpt, padded, size):
    features, mask = padded[0][1:2], padded[1][1:2]
    together = sample_tokens(gpt, features, mask, SEEDS, top_k=20, top_p=0.9)
    apart = [
        sample_tokens(gpt, features, mask, SEEDS[start : start + size], top_k=20, top_p=0.9)
        for start in range(0, len(SEEDS), size)
    ]
    assert torch.equal(together, torch.cat(apart))
    backwards = sample_tokens(gpt, features, mask, SEEDS[::-1], top_k=20, top_p=0.9)
    assert torch.equal(together, backwards.flip(0))


def test_padding_the_batch_keeps_its_shape_and_the_images(gpt, padded):
    seen = []
    handle = gpt.norm.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    whole = sample_tokens(gpt, padded[0][:1], padded[1][:1], SEEDS)
    parts = [
        sample_tokens(gpt, padded[0][:1], padded[1][:1], SEEDS[start : start + 3], rows=5) for start in (0, 3)
    ]
    handle.remove()
    assert set(seen) == {10}  # five pictures, each with its null row
    assert torch.equal(whole, torch.cat(parts))


def test_the_global_random_state_has_no_effect(gpt, padded):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = sample_tokens(gpt, *padded, [1, 2, 3])
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert torch.equal(first, sample_tokens(gpt, *padded, [1, 2, 3]))


def test_sampling_changes_nothing_on_the_model(gpt, padded, tokens):
    gpt.train()
    gpt.layers[1].eval()
    modes = [module.training for module in gpt.modules()]
    attributes = {name: set(vars(module)) for name, module in gpt.named_modules()}
    before = {name: tensor.clone() for name, tensor in gpt.state_dict().items()}
    drawn = sample_tokens(gpt, *padded, [1, 2, 3])
    assert [module.training for module in gpt.modules()] == modes
    assert {name: set(vars(module)) for name, module in gpt.named_modules()} == attributes
    assert all(torch.equal(tensor, before[name]) for name, tensor in gpt.state_dict().items())
    gpt.loss(drawn, *padded).backward()  # tokens just drawn can be trained on


def test_modes_are_restored_after_a_failure(gpt, padded, monkeypatch):
    gpt.train()
    monkeypatch.setattr(gpt.output, "forward", lambda hidden: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sample_tokens(gpt, *padded, [1, 2, 3])
    assert all(module.training for module in gpt.modules())


def filtered_one_by_one(logits, temperature, top_k, top_p):
    """The same filter in plain words, on one row."""
    scores = sorted(
        ((value / temperature, index) for index, value in enumerate(logits.tolist())), reverse=True
    )
    if top_k:
        scores = scores[:top_k]
    weights = torch.tensor([score for score, _ in scores]).softmax(0).tolist()
    kept, total = [], 0.0
    for weight, (score, index) in zip(weights, scores, strict=True):
        if total > top_p:
            break
        kept.append((score, index))
        total += weight
    result = torch.zeros(len(logits))
    result[[index for _, index in kept]] = torch.tensor([score for score, _ in kept]).softmax(0)
    return result


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, 0, 1.0), (0.7, 5, 1.0), (1.5, 0, 0.6), (0.9, 20, 0.95), (1.0, 500, 0.01)],
)
def test_filters(temperature, top_k, top_p):
    logits = torch.randn(4, 50, generator=torch.Generator().manual_seed(7)) * 3
    ours = filtered_probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p)
    for row, probabilities in zip(logits, ours, strict=True):
        expected = filtered_one_by_one(row, temperature, top_k, top_p)
        assert torch.allclose(probabilities, expected, atol=1e-6)
        assert torch.equal(probabilities > 0, expected > 0)


def test_samples_follow_the_distribution_and_never_hit_zero():
    probabilities = torch.tensor([0.0, 0.5, 0.0, 0.3, 0.2, 0.0])
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(8)).double()
    counts = torch.bincount(sample_rows(probabilities.expand(20_000, 6), uniform), minlength=6) / 20_000
    assert torch.allclose(counts, probabilities, atol=0.015)
    assert counts[[0, 2, 5]].sum() == 0
    edges = torch.tensor([0.0, 1 - 2**-24], dtype=torch.float64)
    assert sample_rows(probabilities.expand(2, 6), edges).tolist() == [1, 4]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("guidance", {"guidance": 0.5}),
        ("temperature", {"temperature": -1}),
        ("top_k", {"top_k": -1}),
        ("top_p", {"top_p": 0}),
        ("top_p", {"top_p": 1.5}),
        ("rows", {"rows": 2}),
    ],
)
def test_settings_out_of_range_are_refused_by_name(gpt, padded, name, settings):
    with pytest.raises(ValueError, match=f"^{name} = "):
        sample_tokens(gpt, *padded, [1, 2, 3], **settings)


def test_captions_and_seeds_must_pair(gpt, padded):
    with pytest.raises(ValueError, match="captions = 3"):
        sample_tokens(gpt, *padded, [1, 2])
    with pytest.raises(ValueError, match="seeds = 0"):
        sample_tokens(gpt, *padded, [])
