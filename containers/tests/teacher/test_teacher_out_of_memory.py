"""A teacher that runs out of memory recomputes its activations and goes on with the same step."""

import pytest
import torch
from out_of_memory import assert_same_as_from_the_start, run_out, train
from teaching import MODELS, photo_set, prepared


@pytest.mark.parametrize("model", MODELS)
def test_it_equals_a_training_that_recomputed_from_the_start(tiny_model, tmp_path, capsys, model):
    photos = photo_set(tmp_path / "photos")
    assert_same_as_from_the_start(lambda: prepared(tiny_model(model), photos), "loss", tmp_path, capsys)


def test_where_that_does_not_suffice_it_ends_with_the_error(tiny_model, tmp_path):
    teacher = prepared(tiny_model("sd3-medium-tiny"), photo_set(tmp_path / "photos"))
    run_out(teacher, "loss", lambda plan: False)
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate"):
        train(teacher, tmp_path)
    assert teacher.memory.checkpointing
