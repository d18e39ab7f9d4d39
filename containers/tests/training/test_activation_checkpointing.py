"""Activations that would not fit a GPU are recomputed; there is no GPU here, so its size is simulated."""

from types import SimpleNamespace

import pytest
import torch

from proxytune.training.activation_checkpointing import GIB, enable_if_needed, gpu_bytes

GPU = torch.device("cuda")


def simulate(monkeypatch, sizes):
    """Simulate GPUs of these sizes in bytes, by name."""
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda card: SimpleNamespace(total_memory=sizes[str(card)])
    )


@pytest.mark.parametrize(("kept", "expected"), [(450, False), (451, True)])
def test_activations_may_take_their_share_of_what_the_weights_leave_and_no_more(monkeypatch, kept, expected):
    # 25 float32 numbers are 100 bytes: half of the rest is 450.
    simulate(monkeypatch, {"cuda": 1000})
    enabled = []
    linear = torch.nn.Linear(5, 5, bias=False)
    enable_if_needed(linear, kept, GPU, lambda: enabled.append(True), share=0.5)
    assert bool(enabled) is expected


def test_on_the_cpu_all_are_kept(monkeypatch):
    simulate(monkeypatch, {"cuda": 0})
    linear, cpu = torch.nn.Linear(5, 5), torch.device("cpu")
    enable_if_needed(linear, 10**15, cpu, lambda: pytest.fail("recomputed"), share=0.5)


def test_the_log_has_both_sizes_when_it_is_on_and_is_silent_otherwise(monkeypatch, capsys):
    simulate(monkeypatch, {"cuda": 24 * GIB})
    linear = torch.nn.Linear(5, 5)
    enable_if_needed(linear, 11 * GIB, GPU, lambda: None, share=0.5)
    assert capsys.readouterr().out == ""
    enable_if_needed(linear, 30 * GIB, GPU, lambda: None, share=0.5)
    expected = (
        "Activation checkpointing is on: keeping activations (30.0 GiB) would not fit this GPU (24.0 GiB)\n"
    )
    assert capsys.readouterr().out == expected


def test_the_memory_is_that_of_the_given_gpu(monkeypatch):
    cards = {"cuda:0": 24 * GIB, "cuda:1": 80 * GIB}
    simulate(monkeypatch, cards)
    assert [gpu_bytes(torch.device(name)) for name in cards] == list(cards.values())
    assert gpu_bytes(torch.device("cpu")) is None
