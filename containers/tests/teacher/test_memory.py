"""The memory plan, at the four models' real sizes (no weights are made) and the cards of the catalogue."""

import pytest
import torch
from teaching import family_of, full_size

from proxytune.teacher import memory
from proxytune.teacher.sdxl import SDXL


@pytest.mark.parametrize(
    ("name", "gib", "anew"),
    [
        ("sd3-medium", 16, True),
        ("sd3-medium", 24, False),
        ("sd3.5-large", 48, True),
        ("flux-dev", 48, True),
        ("flux-dev", 80, True),
    ],
)
def test_activations_are_computed_anew_where_they_would_not_fit_and_then_fit(name, gib, anew):
    network, family = full_size(name).requires_grad_(False), family_of(f"{name}-tiny")
    activations = family.activations(network.config, 1024, 333)
    plan = memory.plan(network.parameters(), [], activations, gib * memory.GIB)
    assert plan.anew is anew
    assert plan.weights + plan.activations < memory.USABLE * gib * memory.GIB
    assert f"of {gib}.0 GiB" in str(plan)


def test_sdxl_keeps_its_activations_on_48_gib_and_not_on_24():
    class Config:
        block_out_channels = (320, 640, 1280)

    activations = SDXL().activations(Config, 1024, 77)
    weights = [torch.empty(3_500_000_000, dtype=torch.bfloat16, device="meta")]
    plans = [memory.plan([], weights, activations, gib * memory.GIB) for gib in (24, 48)]
    assert [plan.anew for plan in plans] == [True, False]
    assert plans[0].weights + plans[0].activations < memory.USABLE * 24 * memory.GIB


def test_the_adapter_counts_with_its_gradient_and_moments_and_the_cpu_keeps_all():
    trained = torch.nn.Parameter(torch.zeros(1000))
    plan = memory.plan([trained], [], memory.Activations(10**15, 10), None)
    assert (plan.adapter, plan.activations, plan.anew) == (16_000, 10**15, False)
    assert "on the CPU; activations kept" in str(plan)
