"""What is moved without waiting; and that the pretended GPU refuses what waits, and nothing else."""

import pytest
import torch
from pretended_gpu import Gpu, WaitingError

from proxytune.training.transfer import moved, numbered

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_on_the_cpu_nothing_is_copied():
    values = torch.arange(3.0)
    assert moved(values, CPU) is values
    assert numbered([2, 0], CPU).tolist() == [2, 0]
    assert numbered([], CPU).dtype == torch.int64


@pytest.fixture
def gpu():
    with Gpu() as made:
        yield made


def test_to_the_gpu_numbers_go_in_line(gpu):
    gpu.strict = True
    there, places = moved(torch.arange(4.0), GPU), numbered([3, 1], GPU)
    assert there.device.type == places.device.type == "cuda"
    assert moved(there, GPU) is there
    picked = there[places]
    gpu.strict = False
    assert picked.tolist() == [3.0, 1.0]


def test_where_there_is_a_gpu_it_agrees():
    if not torch.cuda.is_available():
        pytest.skip("no GPU here: only the pretended one was asked")
    torch.cuda.set_sync_debug_mode("error")
    try:
        picked = moved(torch.arange(4.0), GPU)[numbered([3, 1], GPU)]
        for waits in WAITING.values():
            with pytest.raises(RuntimeError, match="synchroniz"):
                waits(picked)
        for goes_on in GOING_ON.values():
            goes_on(picked)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert picked.tolist() == [3.0, 1.0]


# Of a tensor (2,) on the GPU. What waits, each as it could come into a step.
WAITING = {
    "a number": lambda x: x.sum().item(),
    "a decision": lambda x: bool(x.isfinite().all()),
    "an int": lambda x: int(x[0]),
    "a list": lambda x: x.tolist(),
    "a copy back": lambda x: x.cpu(),
    "a list as index": lambda x: x[[1, 0]],
    "an index from the CPU": lambda x: x[torch.tensor([1])],
    "a mask": lambda x: x[x > 1],
    "places of a mask": lambda x: (x > 1).nonzero(),
    "numbers of Python's": lambda x: torch.tensor([1.0], device=x.device),
    "a copy": lambda x: torch.ones(2).to(x.device),
    "a copy into it": lambda x: x.copy_(torch.ones(2)),
    "a copy out of it": lambda x: torch.ones(2).copy_(x),
    "a comparison": lambda x: torch.equal(x, x),
}
GOING_ON = {
    "arithmetic": lambda x: (x * 2 + 1).square().mean(),
    "a number written": lambda x: x[:1].__setitem__(0, 3.0),
    "made there": lambda x: torch.zeros(2, device=x.device) + torch.arange(2, device=x.device),
    "chosen there": lambda x: torch.where(x > 1, x, 0.0),
    "a slice": lambda x: torch.cat([x[1:], x[:1]]),
    "an index that was moved": lambda x: x[numbered([1], x.device)],
}


@pytest.mark.parametrize("what", WAITING)
def test_the_pretended_gpu_refuses_what_waits_while_it_is_strict(gpu, what):
    there = moved(torch.tensor([3.0, 1.0]), GPU)
    WAITING[what](there)
    gpu.strict = True
    with pytest.raises(WaitingError):
        WAITING[what](there)


def test_a_copy_that_asks_not_to_wait_needs_pinned_memory(gpu):
    gpu.strict = True
    with pytest.raises(WaitingError, match="pinned memory"):
        torch.ones(2).to(GPU, non_blocking=True)
    with pytest.raises(WaitingError, match="pinned memory"):
        torch.ones(2).pin_memory().to(GPU)
    torch.ones(2).pin_memory().to(GPU, non_blocking=True)


@pytest.mark.parametrize("what", GOING_ON)
def test_it_lets_all_else_go_on(gpu, what):
    gpu.strict = True
    GOING_ON[what](moved(torch.tensor([3.0, 1.0]), GPU))


def test_it_computes_and_says_what_lies_elsewhere(gpu):
    torch.manual_seed(1)
    layer, given = torch.nn.Linear(3, 2), torch.randn(4, 3)
    loss = layer(given).square().mean()
    loss.backward()
    wanted = [value.grad.clone() for value in layer.parameters()]
    layer.zero_grad()
    layer.to(GPU)
    with pytest.raises(RuntimeError, match="both devices"):
        layer(given)
    layer(given.to(GPU)).square().mean().backward()
    for value, gradient in zip(layer.parameters(), wanted, strict=True):
        assert value.is_cuda
        assert torch.equal(value.grad.cpu(), gradient)
