"""An adapter counts as written only when what is read back computes what was trained."""

import math

import pytest
import torch

from proxytune.contract.errors import ProxytuneError
from proxytune.training.adapter_checks import Tolerance, save_and_check

UNTUNED, TRAINED = 100.0, 104.0


def check(read_back, tolerance, *, trained=TRAINED):
    """Save a model that is one number: what it computes with the adapter read back is `read_back`."""
    steps = []

    def step(name, result):
        def do(model):
            steps.append((name, model))
            return result

        return do

    model = save_and_check(
        trained,
        write=step("write", None),
        remove=step("remove", UNTUNED),
        load=step("load", read_back),
        probe=lambda model: torch.tensor([model]),
        probed="one number",
        tolerance=tolerance,
        role="teacher",
        stage="teach",
    )
    assert steps == [("write", trained), ("remove", trained), ("load", UNTUNED)]
    return model


@pytest.mark.parametrize(
    ("tolerance", "read_back"),
    [
        (Tolerance(of_effect=0.25, of_output=0), 105.0),
        (Tolerance(of_effect=0, of_output=0.01), 103.0),
        (Tolerance(of_effect=0.25, of_output=0.01), 106.0),
        (Tolerance(of_effect=0, of_output=0), TRAINED),
    ],
)
def test_the_model_read_back_is_returned_within_the_tolerance(tolerance, read_back):
    assert check(read_back, tolerance) == read_back


@pytest.mark.parametrize("read_back", [105.1, 102.9, UNTUNED, math.nan])
def test_what_is_further_away_or_not_a_number_is_refused(read_back):
    with pytest.raises(ProxytuneError, match="does not give the trained teacher back") as refused:
        check(read_back, Tolerance(of_effect=0.25, of_output=0))
    assert refused.value.name == "ModelMismatch"
    assert "with an effect of 4" in str(refused.value)
    assert "at most 1" in str(refused.value)


def test_a_corrupt_trained_model_is_refused_before_anything_is_written():
    with pytest.raises(ProxytuneError, match="trained teacher") as refused:
        check(TRAINED, Tolerance(0.25, 0), trained=math.inf)
    assert refused.value.name == "ModelNotFinite"
    assert "advanced.teach.learningRate" in str(refused.value)
