"""A student that runs out of memory recomputes its activations, then computes its batch in smaller parts."""

import pytest
import torch
from out_of_memory import assert_same_as_from_the_start, run_out, train
from students import TINY, prepared, proxy_set


@pytest.fixture
def proxies(tmp_path):
    return proxy_set(tmp_path / "proxies", ("ohwx dog",) * 4)


@pytest.mark.parametrize("family", sorted(TINY))
def test_it_equals_a_training_that_recomputed_from_the_start(tiny_model, tmp_path, proxies, capsys, family):
    assert_same_as_from_the_start(
        lambda: prepared(family, tiny_model(TINY[family]), proxies, batch_size=2), "_loss", tmp_path, capsys
    )


def test_where_that_does_not_suffice_parts_are_smaller(tiny_model, tmp_path, proxies, capsys):
    def prepare():
        # Dropout would draw other numbers for smaller parts; this family has none.
        return prepared("janus", tiny_model("janus-pro-1b-tiny"), proxies, batch_size=4)

    whole = train(prepare(), tmp_path / "whole")
    trainer = prepare()
    run_out(trainer, "_loss", lambda plan: plan.parts == 4)
    parts = train(trainer, tmp_path / "parts")
    assert "the batch is computed in 4 parts" in capsys.readouterr().out
    assert (trainer.memory.checkpointing, trainer.memory.parts) == (True, 4)
    one, other = (torch.cat([value.flatten() for value in each.values()]) for each in (whole, parts))
    assert torch.cosine_similarity(one, other, dim=0) > 0.9999
    assert not torch.equal(one, other)


def test_where_a_single_image_does_not_fit_it_ends_with_the_error(tiny_model, tmp_path, proxies):
    trainer = prepared("llamagen", tiny_model("llamagen-tiny"), proxies, batch_size=4)
    run_out(trainer, "_loss", lambda plan: False)
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate"):
        train(trainer, tmp_path)
    assert (trainer.memory.checkpointing, trainer.memory.parts) == (True, 4)
