"""The fused cross-entropy: the numbers and gradients of the plain one, however it is portioned."""

import pytest
import torch
from torch.nn import functional as F

from proxytune.student import cross_entropy
from proxytune.student.cross_entropy import linear_cross_entropy


def inputs(dtype=torch.float64):
    draws = torch.Generator().manual_seed(1)
    hidden = torch.randn(11, 6, generator=draws, dtype=torch.float64).to(dtype).requires_grad_()
    weight = torch.randn(20, 6, generator=draws, dtype=torch.float64).to(dtype).requires_grad_()
    share = torch.rand(11, generator=draws, dtype=torch.float64)
    share[3] = 0
    return hidden, weight, torch.randint(20, (11,), generator=draws), share


def plain(hidden, weight, targets, share, z_weight):
    logits = hidden @ weight.T
    z = logits.logsumexp(dim=-1).square()
    return ((F.cross_entropy(logits, targets, reduction="none") + z_weight * z) * share).sum()


@pytest.mark.parametrize("rows", [1, 4, 11, 100])
@pytest.mark.parametrize("z_weight", [0.0, 0.3])
def test_loss_and_gradients_equal_the_plain_cross_entropy(monkeypatch, rows, z_weight):
    monkeypatch.setattr(cross_entropy, "AT_ONCE", rows * 20)
    ours, theirs = inputs(), inputs()
    one, other = linear_cross_entropy(*ours, z_weight=z_weight), plain(*theirs, z_weight)
    assert one.item() == pytest.approx(other.item(), rel=1e-12)
    (3 * one).backward()
    (3 * other).backward()
    for mine, wanted in zip(ours[:2], theirs[:2], strict=True):
        assert (mine.grad - wanted.grad).abs().max() < 1e-12
        assert wanted.grad.abs().max() > 0.1


def test_gradients_agree_with_differences():
    hidden, weight, targets, share = inputs()
    assert torch.autograd.gradcheck(
        lambda h, w: linear_cross_entropy(h, w, targets, share, z_weight=0.1), (hidden, weight)
    )


@pytest.mark.parametrize("rows", [4, 100])
def test_a_bias_counts_as_in_the_plain_cross_entropy(monkeypatch, rows):
    monkeypatch.setattr(cross_entropy, "AT_ONCE", rows * 20)
    hidden, weight, targets, share = inputs()
    bias = torch.linspace(-1, 1, 20, dtype=torch.float64).requires_grad_()
    loss = linear_cross_entropy(hidden, weight, targets, share, bias=bias)
    logits = hidden @ weight.T + bias
    wanted = (F.cross_entropy(logits, targets, reduction="none") * share).sum()
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-12)
    given = (hidden, weight, bias)
    for mine, other in zip(torch.autograd.grad(loss, given), torch.autograd.grad(wanted, given), strict=True):
        assert (mine - other).abs().max() < 1e-12


def test_a_frozen_output_layer_gets_no_gradient_and_a_frozen_model_none_at_all():
    hidden, weight, targets, share = inputs()
    linear_cross_entropy(hidden, weight.detach(), targets, share).backward()
    reference = inputs()
    plain(*reference, 0.0).backward()
    assert (hidden.grad - reference[0].grad).abs().max() < 1e-12
    assert weight.grad is None
    assert not linear_cross_entropy(hidden.detach(), weight.detach(), targets, share).requires_grad


def test_bfloat16_is_summed_in_float32():
    hidden, weight, targets, share = inputs(torch.bfloat16)
    loss = linear_cross_entropy(hidden, weight, targets, share)
    assert loss.dtype == torch.float32
    exact = plain(hidden.double(), weight.double(), targets, share, 0.0)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-2)
    loss.backward()
    assert hidden.grad.dtype == torch.bfloat16
    wanted = torch.autograd.grad(exact, hidden)[0]
    assert (hidden.grad - wanted).abs().max() < 0.02 * wanted.abs().max()


def test_no_logits_of_all_rows_are_ever_kept(monkeypatch):
    monkeypatch.setattr(cross_entropy, "AT_ONCE", 4 * 20)
    hidden, weight, targets, share = inputs()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        linear_cross_entropy(hidden, weight.detach(), targets, share)
    assert sum(kept) <= hidden.numel()
