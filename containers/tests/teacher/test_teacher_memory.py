"""Teachers on GPUs of simulated sizes: what is kept, and gradients that do not depend on it."""

import pytest
import torch
from teaching import MODELS, photo_set, prepared

from proxytune.training import memory
from proxytune.training.activation_memory import kept_bytes


@pytest.mark.parametrize("model", MODELS)
def test_on_a_small_gpu_less_is_kept_for_the_backward_pass_and_gradients_are_the_same(
    tiny_model, tmp_path, monkeypatch, capsys, model
):
    photos = photo_set(tmp_path)

    def trained_on(available, activations):
        monkeypatch.setattr(memory, "gpu_bytes", lambda device: available)
        teacher = prepared(tiny_model(model), photos)
        assert f"activations {activations}" in capsys.readouterr().out
        kept = kept_bytes(teacher.network, lambda: teacher.loss(0, torch.Generator().manual_seed(1)))
        if available is not None:
            # The plan counts a step of the real training, whatever is done about it afterwards.
            assert activations == "recomputed" or teacher.memory.kept == kept
        teacher.loss(0, torch.Generator().manual_seed(1)).backward()
        return kept, [value.grad for _, value in teacher.named_parameters()]

    on_cpu, expected = trained_on(None, "kept")
    on_large, _ = trained_on(80 * memory.GIB, "kept")
    on_small, gradients = trained_on(2**20, "recomputed")
    assert on_small < 0.6 * on_large == 0.6 * on_cpu
    assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(gradients, expected, strict=True))
