"""Compiled layers compute the same; traced here, since kernels are only compiled on a GPU."""

import pytest
import torch
from torch._dynamo.utils import counters

from proxytune.student.adapters import add_adapter
from proxytune.student.families.llamagen import LlamaGen, LlamaGenConfig
from proxytune.training import compilation


@pytest.fixture(autouse=True)
def _fresh():
    torch._dynamo.reset()
    counters.clear()
    with torch._dynamo.config.patch(suppress_errors=False):
        yield
    torch._dynamo.reset()


def student():
    torch.manual_seed(0)
    gpt = LlamaGen(
        LlamaGenConfig(
            dim=32, n_layer=4, n_head=2, vocab_size=32, block_size=16, caption_dim=8, multiple_of=16
        )
    )
    torch.nn.init.normal_(gpt.output.weight)
    return gpt, add_adapter(gpt, rank=2, alpha=2).train()


def gradients(gpt, model):
    torch.manual_seed(1)
    tokens = torch.arange(32).view(2, 16) % 32
    loss = gpt.loss(tokens, torch.ones(2, 5, 8), drop_caption=torch.tensor([False, True]))
    loss.backward()
    return [loss.detach(), *(value.grad for value in model.parameters() if value.requires_grad)]


@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "recomputed"])
def test_compiled_layers_change_no_number_and_share_graphs(recompute):
    plain = gradients(*student())
    gpt, model = student()
    if recompute:
        gpt.recompute = True
    compilation.compile_layers(gpt.layers, backend="eager")
    for ours, expected in zip(gradients(gpt, model), plain, strict=True):
        assert (ours - expected).abs().max() < 1e-6
    assert not counters["graph_break"]
    # Four layers: the first, which gets no gradient for its input, and all others.
    assert counters["stats"]["unique_graphs"] == 2


def test_undo_removes_the_compiled_code():
    gpt, model = student()
    names = list(gpt.state_dict())
    compilation.compile_layers(gpt.layers, backend="eager")
    compilation.undo(gpt.layers)
    gradients(gpt, model)
    assert counters["stats"]["unique_graphs"] == 0
    assert list(gpt.state_dict()) == names


def test_nothing_is_compiled_without_a_gpu_or_a_compiler(monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert not compilation.possible(torch.device("cuda"))
    monkeypatch.setenv("CC", "gcc")
    assert compilation.possible(torch.device("cuda"))
    assert not compilation.possible(torch.device("cpu"))
