"""Packed weights: the same products, and a model that is restored afterwards."""

import pytest
import torch
from torch import nn

from proxytune.student.packing import packed


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(96, 48, bias=False), nn.GELU(), nn.Linear(48, 200, bias=False))


@pytest.mark.parametrize("shape", [(8, 96), (1, 96), (3, 5, 96), (300, 96)])
@torch.no_grad()
def test_products_are_the_same_for_any_number_of_rows(model, shape):
    x = torch.randn(shape)
    plain = model(x)
    with packed(model):
        assert "forward" in vars(model[0])
        assert (model(x) - plain).abs().max() < 1e-5
    assert torch.equal(model(x), plain)


@torch.no_grad()
def test_weights_changed_afterwards_are_used(model):
    x = torch.randn(8, 96)
    with packed(model):
        before = model(x)
    model[2].weight.mul_(2)
    with packed(model):
        assert (model(x) - 2 * before).abs().max() < 1e-4


@torch.no_grad()
def test_the_model_is_restored_after_a_failure(model):
    attributes = {name: set(vars(module)) for name, module in model.named_modules()}
    with pytest.raises(RuntimeError), packed(model):
        model(torch.randn(8, 95))
    assert {name: set(vars(module)) for name, module in model.named_modules()} == attributes


@torch.no_grad()
def test_layers_that_cannot_be_packed_do_not_change(model):
    with packed(model.bfloat16()):
        assert "forward" not in vars(model[0])
    biased = nn.Sequential(nn.Linear(4, 4))
    patched = nn.Linear(4, 4, bias=False)
    patched.forward = lambda x: x + 1
    with packed(biased), packed(patched):
        assert "forward" not in vars(biased[0])
        assert torch.equal(patched(torch.ones(2, 4)), torch.full((2, 4), 2.0))
    assert torch.equal(patched(torch.ones(2, 4)), torch.full((2, 4), 2.0))
