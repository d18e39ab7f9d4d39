"""The memory plan, at the four models' real sizes (without weights) and on the GPUs of the catalogue."""

import pytest
import torch
from memory_use import kept_bytes
from teaching import MODELS, family_of, full_size, photo_set, prepared

from proxytune.teacher import memory
from proxytune.teacher.families.sdxl import SDXL
from proxytune.training import activation_checkpointing


@pytest.mark.parametrize(
    ("name", "gib", "checkpointing"),
    [
        ("sd3-medium", 16, True),
        ("sd3-medium", 24, False),
        ("sd3.5-large", 48, True),
        ("flux-dev", 48, True),
        ("flux-dev", 80, True),
    ],
)
def test_activations_are_recomputed_where_they_would_not_fit_and_then_fit(name, gib, checkpointing):
    network, family = full_size(name).requires_grad_(False), family_of(f"{name}-tiny")
    activations = family.activations(network.config, 1024, 333)
    plan = memory.plan(network.parameters(), [], activations, gib * memory.GIB)
    assert plan.checkpointing is checkpointing
    assert plan.weights + plan.activations < memory.USABLE * gib * memory.GIB
    assert f"of {gib}.0 GiB" in str(plan)


def test_sdxl_keeps_its_activations_on_48_gib_and_not_on_24():
    class Config:
        block_out_channels = (320, 640, 1280)

    activations = SDXL().activations(Config, 1024, 77)
    weights = [torch.empty(3_500_000_000, dtype=torch.bfloat16, device="meta")]
    plans = [memory.plan([], weights, activations, gib * memory.GIB) for gib in (24, 48)]
    assert [plan.checkpointing for plan in plans] == [True, False]
    assert plans[0].weights + plans[0].activations < memory.USABLE * 24 * memory.GIB


def test_the_adapter_counts_with_its_gradient_and_moments_and_the_cpu_keeps_all():
    trained = torch.nn.Parameter(torch.zeros(1000))
    plan = memory.plan([trained], [], memory.Activations(10**15, 10), None)
    assert (plan.adapter, plan.activations, plan.checkpointing) == (16_000, 10**15, False)
    assert "on the CPU; activations kept" in str(plan)


@pytest.mark.parametrize("model", MODELS)
def test_on_a_small_gpu_less_is_kept_for_the_backward_pass_and_gradients_are_the_same(
    tiny_model, tmp_path, monkeypatch, capsys, model
):
    photos = photo_set(tmp_path)

    def trained_on(available, activations):
        monkeypatch.setattr(activation_checkpointing, "gpu_bytes", lambda device: available)
        teacher = prepared(tiny_model(model), photos)
        log = capsys.readouterr().out
        assert f"activations {activations}" in log
        assert ("Activation checkpointing is on" in log) is (activations != "kept")
        kept = kept_bytes(teacher.network, lambda: teacher.loss(0, torch.Generator().manual_seed(1)))
        teacher.loss(0, torch.Generator().manual_seed(1)).backward()
        return kept, [value.grad for _, value in teacher.named_parameters()]

    on_cpu, expected = trained_on(None, "kept")
    on_large, _ = trained_on(80 * memory.GIB, "kept")
    on_small, gradients = trained_on(2**20, "recomputed")
    assert on_small < 0.6 * on_large == 0.6 * on_cpu
    assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(gradients, expected, strict=True))
