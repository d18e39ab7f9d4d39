"""Long trainings of LlamaGen are compiled; traced here, since kernels are only compiled on a GPU."""

import pytest
import torch
from learn_job import HYPERPARAMETERS, make_job
from safetensors.torch import load_file
from torch._dynamo.utils import counters

from proxytune.contract.signals import StopRequest
from proxytune.student.trainer import train
from proxytune.training import compilation

STEPS = 3


@pytest.fixture(autouse=True)
def _traced(monkeypatch):
    """Layers that are compiled are traced, and computed as written."""
    real = compilation.compile_layers
    monkeypatch.setattr(compilation, "compile_layers", lambda layers, **_: real(layers, backend="eager"))
    torch._dynamo.reset()
    counters.clear()
    with torch._dynamo.config.patch(suppress_errors=False):
        yield
    torch._dynamo.reset()


@pytest.fixture
def learnt(tmp_path, tiny_student, monkeypatch):
    """Train a job; its adapter, and how many graphs were traced for it."""

    def learn(name, *, possible=True, worthwhile=STEPS):
        monkeypatch.setattr(compilation, "possible", lambda device: possible)
        monkeypatch.setattr(compilation, "WORTHWHILE_STEPS", worthwhile)
        given = {**HYPERPARAMETERS, "steps": STEPS}
        folders, before = make_job(tmp_path / name, tiny_student, given), counters["stats"]["unique_graphs"]
        train(folders, given, StopRequest())
        adapter = load_file(folders.model / "adapter_model.safetensors")
        return adapter, counters["stats"]["unique_graphs"] - before

    return learn


def test_a_long_training_is_compiled_and_learns_the_same(learnt):
    plain, none = learnt("impossible", possible=False)
    short, still_none = learnt("short", worthwhile=STEPS + 1)
    compiled, graphs = learnt("long")
    assert (none, still_none) == (0, 0)
    assert graphs >= 2
    assert all(torch.equal(short[name], value) for name, value in plain.items())
    assert all(torch.allclose(compiled[name], value, atol=1e-5) for name, value in plain.items())
