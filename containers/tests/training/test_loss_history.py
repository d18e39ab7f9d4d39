"""The history of a loss: the right means, bounded, and the same however it was read."""

import json
import math

import pytest
import torch

from proxytune.contract import schema
from proxytune.training.loss_history import POINTS, LossHistory


def history_of(losses, steps, parts=(1,)):
    history, at, turn = LossHistory(steps), 0, 0
    while at < len(losses):
        size = parts[turn % len(parts)]
        history.add(losses[at : at + size])
        at, turn = at + size, turn + 1
    return history


def test_a_point_is_the_mean_of_its_steps():
    record = history_of([4.0, 2.0, 1.0, 5.0, 9.0], 2 * POINTS).record()
    assert record == {
        "version": 1,
        "every": 2,
        "points": [{"step": 2, "loss": 3.0}, {"step": 4, "loss": 3.0}, {"step": 5, "loss": 9.0}],
    }


@pytest.mark.parametrize("steps", [1, 2, POINTS - 1, POINTS, POINTS + 1, 1000, 19_999, 20_000])
def test_no_training_has_more_points_than_the_schema_allows(steps):
    losses = [math.sin(step) + 2 for step in range(steps)]
    record = history_of(losses, steps, (97,)).record()
    assert schema.check("losses", record) is None
    assert len(record["points"]) <= POINTS
    assert record["points"][-1]["step"] == steps
    # Weighted by their steps the points have the mean of all losses.
    ends = [0, *(point["step"] for point in record["points"])]
    total = sum(
        point["loss"] * (end - before)
        for point, before, end in zip(record["points"], ends, ends[1:], strict=False)
    )
    assert total / steps == pytest.approx(sum(losses) / steps, abs=1e-6)


def test_it_does_not_depend_on_how_often_it_is_read():
    losses = torch.rand(1234, generator=torch.Generator().manual_seed(1)).double().tolist()
    whole = history_of(losses, 3000, (len(losses),)).as_state()
    for parts in [(1,), (7,), (500, 3, 1)]:
        assert history_of(losses, 3000, parts).as_state() == whole


def test_what_goes_on_from_a_checkpoint_equals_what_was_never_interrupted(tmp_path):
    losses = torch.rand(900, generator=torch.Generator().manual_seed(2)).double().tolist()
    whole = history_of(losses, 900)
    first = history_of(losses[:401], 900)
    torch.save(first.as_state(), tmp_path / "state")
    resumed = LossHistory(900)
    resumed.restore(torch.load(tmp_path / "state", weights_only=True))
    resumed.add(losses[401:])
    assert resumed.record() == whole.record()
    resumed.write(tmp_path / "model", tmp_path / "checkpoints")
    for folder in ("model", "checkpoints"):
        assert json.loads((tmp_path / folder / "losses.json").read_text()) == whole.record()
