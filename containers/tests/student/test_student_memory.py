"""Activations that would not fit a GPU are computed twice; there is none here, so its size is told."""

from types import SimpleNamespace

import pytest
import torch
from held import kept_bytes
from students import TINY, prepared, proxy_set

from proxytune.student import memory

CARD = torch.device("cuda")


@pytest.fixture
def card(monkeypatch):
    """Tell the size of the GPU in bytes."""

    def tell(size):
        properties = SimpleNamespace(total_memory=size)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)

    return tell


@pytest.mark.parametrize(("kept", "twice"), [(450, False), (451, True)])
def test_they_may_take_their_share_of_what_the_weights_leave_and_no_more(card, kept, twice):
    # 25 float32 numbers are 100 bytes: half of the rest is 450.
    card(1000)
    asked = []
    memory.fit(torch.nn.Linear(5, 5, bias=False), kept, CARD, lambda: asked.append(True), share=0.5)
    assert bool(asked) is twice


def test_on_the_cpu_all_are_kept(card):
    card(0)
    memory.fit(torch.nn.Linear(5, 5), 10**15, torch.device("cpu"), lambda: pytest.fail("computed twice"))


@pytest.mark.parametrize("family", sorted(TINY))
def test_on_a_small_card_less_is_kept_for_the_way_back(
    tiny_model, tmp_path, monkeypatch, capsys, card, family
):
    proxies, real = proxy_set(tmp_path), memory.fit

    def fit(model, needed, device, recompute, **share):
        real(model, needed, CARD, recompute, **share)

    def kept_on(size, *, twice):
        card(size)
        learner = prepared(family, tiny_model(TINY[family]), proxies)
        assert ("activations are computed twice" in capsys.readouterr().out) is twice
        numbers, dropped = torch.tensor([0]), torch.tensor([False])
        return kept_bytes(learner._model, lambda: learner.loss_of(numbers, dropped))

    monkeypatch.setattr(memory, "fit", fit)
    assert kept_on(0, twice=True) < 0.6 * kept_on(2**40, twice=False)
