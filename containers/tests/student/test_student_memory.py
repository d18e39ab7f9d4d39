"""Students on GPUs of simulated sizes: batches in parts, activations recomputed, the same gradients."""

import pytest
import torch
from learn_job import CAPTION
from students import TINY, prepared, proxy_set

from proxytune.student.families.lumina.transformer import LuminaLayer
from proxytune.training import memory
from proxytune.training.activation_memory import kept_bytes

PROMPTS = (CAPTION, "ohwx dog in the deep snow", CAPTION, CAPTION)


def without_dropout(model):
    """Turn it off, as it draws other numbers for other shapes; the train mode stays on."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(module, LuminaLayer):
            module.dropout = 0.0


@pytest.mark.parametrize("family", sorted(TINY))
def test_a_smaller_gpu_computes_parts_and_a_small_one_recomputes(
    tiny_model, tmp_path, monkeypatch, capsys, family
):
    proxies = proxy_set(tmp_path, PROMPTS)

    def trained_on(gpu):
        monkeypatch.setattr(memory, "gpu_bytes", lambda device: gpu)
        trainer = prepared(family, tiny_model(TINY[family]), proxies, batch_size=4)
        without_dropout(trainer._model)
        kept, losses = [], []
        rng = torch.Generator().manual_seed(1)
        for part in trainer.losses(0, rng):
            part.backward()
            losses.append(float(part.detach()))
        for batch in trainer._batch(0, torch.Generator().manual_seed(1)).split(trainer.memory.parts):
            kept.append(kept_bytes(trainer._model, lambda batch=batch: trainer._loss(batch)))
        gradient = torch.cat([value.grad.flatten() for _, value in trainer.named_parameters()])
        return trainer.memory, max(kept), sum(losses), gradient, capsys.readouterr().out

    whole, on_large, loss, expected, log = trained_on(2**40)
    assert (whole.parts, whole.checkpointing) == (1, False)
    assert "activations kept;" in log
    # The plan is for the longest captions and for dropout.
    assert on_large <= whole.kept
    needed = whole.weights + whole.adapter
    divided, on_smaller, other_loss, gradient, log = trained_on(
        int((needed + 0.6 * whole.kept) / memory.USABLE)
    )
    assert (divided.parts, divided.checkpointing) == (2, False)
    assert "(the batch is computed in 2 parts)" in log
    assert on_smaller < 0.6 * on_large
    assert other_loss == pytest.approx(loss, rel=1e-5)
    assert torch.cosine_similarity(gradient, expected, dim=0) > 0.9999
    small, on_small, other_loss, gradient, log = trained_on(1)
    assert (small.parts, small.checkpointing) == (1, True)
    assert "activations recomputed" in log
    assert on_small < 0.6 * on_large
    assert other_loss == pytest.approx(loss, rel=1e-6)
    assert torch.cosine_similarity(gradient, expected, dim=0) > 0.9999
