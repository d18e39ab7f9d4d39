"""The memory plan; there is no GPU here, so its size is simulated."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from proxytune.training import memory
from proxytune.training.memory import GIB, gpu_bytes

# 100 bytes of frozen weights, and a trained parameter of 16.
MODEL = nn.Sequential(nn.Linear(5, 5, bias=False).requires_grad_(False), nn.Linear(1, 1, bias=False))


def plan(kept, available, images=1):
    return memory.plan(MODEL, (torch.zeros(21),), lambda: kept, available, images=images)


# 1000 bytes, of which 800 are used: 200 by the weights and the adapter.
@pytest.mark.parametrize(
    ("kept", "images", "parts", "checkpointing"),
    [
        (600, 1, 1, False),
        (601, 1, 1, True),
        (600, 8, 1, False),
        (601, 8, 2, False),
        (1201, 8, 4, False),
        (4800, 8, 8, False),
        (4801, 8, 1, True),
        (1201, 6, 3, False),
    ],
)
def test_a_batch_is_divided_where_it_would_not_fit_and_recomputed_where_no_image_would(
    kept, images, parts, checkpointing
):
    made = plan(kept, 1000, images)
    assert (made.weights, made.adapter, made.kept) == (184, 16, kept)
    assert (made.parts, made.checkpointing) == (parts, checkpointing)


def test_on_the_cpu_nothing_is_counted_and_all_is_kept():
    made = memory.plan(MODEL, (), lambda: pytest.fail("counted"), None, images=4)
    assert (made.kept, made.parts, made.checkpointing) == (None, 1, False)
    assert "on the CPU; activations kept; not compiled" in str(made)


def test_the_log_names_the_plan():
    def line(kept, images):
        return str(memory.plan(MODEL, (), lambda: int(kept * GIB), 24 * GIB, images=images, compiled=True))

    assert line(5, 4) == (
        "memory plan: weights 0.0 + adapter 0.0 + activations 5.0 = 5.0 GiB of 24.0 GiB; activations kept; "
        "blocks compiled"
    )
    assert "activations 15.0 = 15.0 GiB of 24.0 GiB; activations kept (the batch is computed in 2 parts)" in (
        line(30, 4)
    )
    assert "activations recomputed, as keeping them would take 30.0 GiB" in line(30, 1)


def test_after_memory_ran_out_activations_are_recomputed_and_then_parts_are_smaller(capsys):
    plans = [plan(100, 1000, 6)]
    while (more := memory.tighter(plans[-1], 6)) is not None:
        plans.append(more)
    assert [(each.checkpointing, each.parts) for each in plans] == [
        (False, 1),
        *((True, parts) for parts in (1, 2, 3, 6)),
    ]
    log = capsys.readouterr().out.splitlines()
    assert log[0] == "Out of memory; from here on activations are recomputed."
    assert log[3] == "Out of memory; from here on the batch is computed in 6 parts."


def test_the_memory_is_that_of_the_given_gpu(monkeypatch):
    cards = {"cuda:0": 24 * GIB, "cuda:1": 80 * GIB}
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda card: SimpleNamespace(total_memory=cards[str(card)])
    )
    assert [gpu_bytes(torch.device(name)) for name in cards] == list(cards.values())
    assert gpu_bytes(torch.device("cpu")) is None
