"""Decoding: step by step, with all or only the filled slots, and in the form that a GPU records."""

import pytest
import torch

from proxytune.student.families.llamagen import trim_caption
from proxytune.student.families.llamagen.decoding import Decoder, StaticStep, decode, decode_by_graph
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
@torch.no_grad()
def test_all_ways_to_decode_sample_the_same(gpt, caption, guidance):
    choose = choosing(3, 16)
    filled = decode(Decoder(gpt, *caption, guidance, static=False), choose)
    assert torch.equal(filled, decode(Decoder(gpt, *caption, guidance, static=True), choose))
    assert torch.equal(filled, decode_by_graph(Decoder(gpt, *caption, guidance, static=True), choose))
    assert len(filled.unique()) > 8


@torch.no_grad()
def test_a_recorded_step_uses_the_same_memory_every_time(gpt, caption):
    step = StaticStep(Decoder(gpt, *caption, 2.0, static=True), choosing(3, 16))
    addresses = {name: value.data_ptr() for name, value in vars(step).items() if torch.is_tensor(value)}
    assert len(addresses) >= 3
    for _ in range(15):
        step.run()
    assert {name: vars(step)[name].data_ptr() for name in addresses} == addresses


@torch.no_grad()
def test_warm_up_steps_change_nothing(gpt, caption):
    choose = choosing(3, 16)
    undisturbed = decode(Decoder(gpt, *caption, 2.0, static=True), choose)
    step = StaticStep(Decoder(gpt, *caption, 2.0, static=True), choose)
    first = step.tokens[:, 0].clone()
    for _ in range(5):
        step.run()
    step.rewind(first)
    for _ in range(15):
        step.run()
    assert torch.equal(step.tokens, undisturbed)


# CUDA graphs exist on a GPU only. Without one, the tests above check the same step without a graph.
@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU; there is none here")
@torch.no_grad()
def test_a_cuda_graph_samples_the_same(gpt, caption, capsys):
    model, (features, mask) = gpt.cuda(), caption
    given = (features.cuda(), None if mask is None else mask.cuda())
    uniforms = torch.rand(3, 16, generator=torch.Generator().manual_seed(6)).double().cuda()

    def choose(logits, index):
        return sample_rows(logits.softmax(-1), uniforms.index_select(1, index)[:, 0])

    stepwise = decode(Decoder(model, *given, 2.0, static=True), choose)
    assert torch.equal(decode_by_graph(Decoder(model, *given, 2.0, static=True), choose), stepwise)
    assert "without a CUDA graph" not in capsys.readouterr().out
