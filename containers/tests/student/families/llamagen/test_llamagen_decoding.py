"""Decoding: with all, the filled or a part of the slots, and what of the cache is attended to."""

from collections import Counter

import pytest
import torch
from llamagen_tiny import tiny_gpt

from proxytune.student import decoding
from proxytune.student.decoding import SamplingStep, StepShape, decode
from proxytune.student.families.llamagen import layers, trim_caption
from proxytune.student.families.llamagen.decoding import LlamaGenDecoder
from proxytune.student.sampling import sample_rows


def choosing(count: int, length: int):
    """Choose by random numbers that depend on image and index alone."""
    uniforms = torch.rand(count, length, generator=torch.Generator().manual_seed(6)).double()

    def choose(logits, index):
        return sample_rows(logits.softmax(-1), uniforms.index_select(1, index)[:, 0])

    return choose


@pytest.fixture(params=["no padding", "mixed lengths"])
def caption(request, padded):
    features, mask = padded
    return trim_caption(features, mask) if request.param == "mixed lengths" else (features[:, -3:], None)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("step", [5, 8, 256])
@torch.no_grad()
def test_all_ways_to_decode_sample_the_same(gpt, caption, guidance, step, monkeypatch):
    monkeypatch.setattr(decoding, "WINDOW_STEP", step)
    choose = choosing(3, 16)
    filled, steps, whole = (
        decode(LlamaGenDecoder(gpt, *caption, guidance, attended=attended), choose)
        for attended in ("filled", "steps", "whole")
    )
    assert torch.equal(filled, whole)
    assert torch.equal(filled, steps)
    assert len(filled.unique()) > 8


@torch.no_grad()
def test_tokens_attend_to_the_filled_part_of_the_cache_in_steps_of_256(monkeypatch):
    """32 caption slots and the 1,024 tokens of an image of 512 pixels, the last of which is not fed."""
    gpt, lengths, real = tiny_gpt(dim=16, n_layer=1, n_head=1, block_size=1024), [], layers.F
    attend = real.scaled_dot_product_attention

    def counting(query, key, value, **given):
        lengths.append((query.shape[2], key.shape[2]))
        return attend(query, key, value, **given)

    monkeypatch.setattr(layers.F, "scaled_dot_product_attention", counting)
    caption = torch.randn(1, 20, 24, generator=torch.Generator().manual_seed(7))
    decode(LlamaGenDecoder(gpt, caption, None, 1.0, attended="steps"), choosing(1, 1024))
    assert lengths[0] == (20, 256)
    steps = {(1, 256): 236, (1, 512): 256, (1, 768): 256, (1, 1024): 256, (1, 1048): 19}
    assert Counter(lengths[1:]) == steps


@torch.no_grad()
def test_a_step_uses_the_same_memory_every_time(gpt, caption):
    step = SamplingStep(LlamaGenDecoder(gpt, *caption, 2.0, attended="steps"), choosing(3, 16))
    addresses = {name: value.data_ptr() for name, value in vars(step).items() if torch.is_tensor(value)}
    assert len(addresses) >= 3
    for _ in range(15):
        step.run(StepShape(32))
    assert {name: vars(step)[name].data_ptr() for name in addresses} == addresses
