"""Activations that would not fit a GPU are recomputed; there is no GPU here, so its size is simulated."""

import pytest
import torch
from memory_use import kept_bytes
from students import TINY, prepared, proxy_set

from proxytune.training import activation_checkpointing


@pytest.mark.parametrize("family", sorted(TINY))
def test_a_small_gpu_keeps_fewer_activations(tiny_model, tmp_path, monkeypatch, capsys, family):
    proxies = proxy_set(tmp_path)

    def kept_on(gpu, *, recomputed):
        monkeypatch.setattr(activation_checkpointing, "gpu_bytes", lambda device: gpu)
        trainer = prepared(family, tiny_model(TINY[family]), proxies)
        assert ("Activation checkpointing is on" in capsys.readouterr().out) is recomputed
        return kept_bytes(trainer._model, lambda: trainer.loss(0, torch.Generator()))

    assert kept_on(0, recomputed=True) < 0.6 * kept_on(2**40, recomputed=False)
