"""Training steps in bfloat16 on a CPU: when, and how near they are to those in float32."""

from contextlib import nullcontext

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from proxytune.training import step_precision
from proxytune.training.step_precision import StepPrecision, native_bfloat16

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("kernels", "avx512_bf16", "amx", "native"),
    [
        ("AVX512", True, False, True),
        ("AVX512", False, True, True),
        ("AVX512", False, False, False),
        # The processor has it, but torch is limited to AVX2.
        ("AVX2", True, True, False),
    ],
)
def test_bfloat16_is_for_processors_that_compute_in_it(monkeypatch, kernels, avx512_bf16, amx, native):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: kernels)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert native_bfloat16(CPU) is native
    # A GPU's frozen weights are bfloat16 already.
    assert not native_bfloat16(torch.device("cuda"))


def adapted():
    """Linear layers with a strong adapter, on an input of three dimensions as students have it."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(16, 10), nn.Linear(10, 24, bias=False), nn.SiLU(), nn.Linear(24, 6))
    model = get_peft_model(body, LoraConfig(r=2, lora_alpha=6, target_modules=["0", "1", "3"]))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.3)
    return model


def loss_and_gradients(model, precision=None):
    x = torch.randn(4, 5, 16, generator=torch.Generator().manual_seed(1))
    if precision is None:
        output = model(x)
    else:
        with precision.step():
            output = model(x)
    loss = output.float().square().mean()
    trained = [value for value in model.parameters() if value.requires_grad]
    return loss.detach(), torch.autograd.grad(loss, trained)


def test_a_layer_in_three_operations_computes_what_peft_computes(monkeypatch):
    monkeypatch.setattr(step_precision, "native_bfloat16", lambda _device: True)
    # In float32 the two differ by rounding alone.
    monkeypatch.setattr(torch, "autocast", lambda *_: nullcontext())
    model = adapted()
    loss, gradients = loss_and_gradients(model, StepPrecision(model, CPU))
    expected, expected_gradients = loss_and_gradients(model)
    assert torch.allclose(loss, expected, rtol=1e-5)
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        assert torch.allclose(gradient, other, rtol=1e-4, atol=1e-6)


def test_bfloat16_rounds_a_step_and_leaves_no_trace(monkeypatch):
    model = adapted()
    expected, expected_gradients = loss_and_gradients(model)
    monkeypatch.setattr(step_precision, "native_bfloat16", lambda _device: True)
    loss, gradients = loss_and_gradients(model, StepPrecision(model, CPU))
    # Different, so it was bfloat16; near, as 8 bits of mantissa allow.
    assert loss != expected
    assert torch.allclose(loss, expected, rtol=0.02)
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        assert gradient.dtype == torch.float32
        assert torch.cosine_similarity(gradient.flatten(), other.flatten(), dim=0) > 0.999
    assert torch.equal(loss_and_gradients(model)[0], expected)


def test_without_bfloat16_a_step_is_that_of_peft_bit_for_bit(monkeypatch):
    monkeypatch.setattr(step_precision, "native_bfloat16", lambda _device: False)
    model = adapted()
    loss, gradients = loss_and_gradients(model, StepPrecision(model, CPU))
    expected, expected_gradients = loss_and_gradients(model)
    assert torch.equal(loss, expected)
    assert all(torch.equal(*pair) for pair in zip(gradients, expected_gradients, strict=True))
