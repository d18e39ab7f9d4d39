"""Transfers do not wait; and the simulated GPU refuses everything that waits, and nothing else."""

import pytest
import torch
from simulated_gpu import Gpu, WaitingError

from proxytune.training.transfer import index_tensor, to_device

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_on_the_cpu_nothing_is_copied():
    values = torch.arange(3.0)
    assert to_device(values, CPU) is values
    assert index_tensor([2, 0], CPU).tolist() == [2, 0]
    assert index_tensor([], CPU).dtype == torch.int64


@pytest.fixture
def gpu():
    with Gpu() as made:
        yield made


def test_transfers_to_the_gpu_are_queued(gpu):
    gpu.strict = True
    there, indices = to_device(torch.arange(4.0), GPU), index_tensor([3, 1], GPU)
    assert there.device.type == indices.device.type == "cuda"
    assert to_device(there, GPU) is there
    picked = there[indices]
    gpu.strict = False
    assert picked.tolist() == [3.0, 1.0]


def test_a_real_gpu_agrees_where_there_is_one():
    # Confirms on a real GPU what the simulated one is assumed to do, so it cannot run without one.
    if not torch.cuda.is_available():
        pytest.skip("no GPU here: only the simulated one was tested")
    torch.cuda.set_sync_debug_mode("error")
    try:
        picked = to_device(torch.arange(4.0), GPU)[index_tensor([3, 1], GPU)]
        for waits in WAITING.values():
            with pytest.raises(RuntimeError, match="synchroniz"):
                waits(picked)
        for proceeds in PROCEEDING.values():
            proceeds(picked)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert picked.tolist() == [3.0, 1.0]


# Functions of a tensor (2,) on the GPU. These wait, each as it could occur in a step.
WAITING = {
    "a number": lambda x: x.sum().item(),
    "a decision": lambda x: bool(x.isfinite().all()),
    "an int": lambda x: int(x[0]),
    "a list": lambda x: x.tolist(),
    "a copy back": lambda x: x.cpu(),
    "a list as index": lambda x: x[[1, 0]],
    "an index from the CPU": lambda x: x[torch.tensor([1])],
    "a mask": lambda x: x[x > 1],
    "indices of a mask": lambda x: (x > 1).nonzero(),
    "numbers of Python's": lambda x: torch.tensor([1.0], device=x.device),
    "a copy": lambda x: torch.ones(2).to(x.device),
    "a copy into it": lambda x: x.copy_(torch.ones(2)),
    "a copy out of it": lambda x: torch.ones(2).copy_(x),
    "a comparison": lambda x: torch.equal(x, x),
}
PROCEEDING = {
    "arithmetic": lambda x: (x * 2 + 1).square().mean(),
    "a number written": lambda x: x[:1].__setitem__(0, 3.0),
    "created there": lambda x: torch.zeros(2, device=x.device) + torch.arange(2, device=x.device),
    "selected there": lambda x: torch.where(x > 1, x, 0.0),
    "a slice": lambda x: torch.cat([x[1:], x[:1]]),
    "an index that was transferred": lambda x: x[index_tensor([1], x.device)],
}


@pytest.mark.parametrize("what", WAITING)
def test_the_simulated_gpu_refuses_what_waits_while_it_is_strict(gpu, what):
    there = to_device(torch.tensor([3.0, 1.0]), GPU)
    WAITING[what](there)
    gpu.strict = True
    with pytest.raises(WaitingError):
        WAITING[what](there)


def test_a_non_blocking_copy_needs_pinned_memory(gpu):
    gpu.strict = True
    with pytest.raises(WaitingError, match="pinned memory"):
        torch.ones(2).to(GPU, non_blocking=True)
    with pytest.raises(WaitingError, match="pinned memory"):
        torch.ones(2).pin_memory().to(GPU)
    torch.ones(2).pin_memory().to(GPU, non_blocking=True)


@pytest.mark.parametrize("what", PROCEEDING)
def test_it_lets_everything_else_proceed(gpu, what):
    gpu.strict = True
    PROCEEDING[what](to_device(torch.tensor([3.0, 1.0]), GPU))


def test_it_computes_and_refuses_tensors_of_both_devices(gpu):
    torch.manual_seed(1)
    layer, given = torch.nn.Linear(3, 2), torch.randn(4, 3)
    loss = layer(given).square().mean()
    loss.backward()
    expected = [value.grad.clone() for value in layer.parameters()]
    layer.zero_grad()
    layer.to(GPU)
    with pytest.raises(RuntimeError, match="both devices"):
        layer(given)
    layer(given.to(GPU)).square().mean().backward()
    for value, gradient in zip(layer.parameters(), expected, strict=True):
        assert value.is_cuda
        assert torch.equal(value.grad.cpu(), gradient)
