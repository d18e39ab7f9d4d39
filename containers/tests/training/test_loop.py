import os
import signal

import pytest
import torch
from torch import nn

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.training.loop import LoopSettings, Trainable, run
from proxytune.training.loss_history import LossHistory
from proxytune.training.states import seed_everything

SETTINGS = LoopSettings(steps=12, checkpoint_every=4, learning_rate=0.05, seed=3, warmup=5)


class Line(nn.Module, Trainable):
    """Two layers with dropout between them: uses the loop's generator and torch's global state."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.seen: list[float] = []

    def loss(self, step: int, rng: torch.Generator) -> torch.Tensor:
        batch = torch.randn(6, 4, generator=rng)
        loss = (self.layers(batch).squeeze(1) - batch.sum(1)).square().mean()
        self.seen.append(float(loss.detach()))
        return loss


def train(folder, settings=SETTINGS, *, end_after=None, hash_="settings", loss=None, losses=None):
    seed_everything(settings.seed)
    line = Line()
    if loss is not None:
        line.loss = loss(line)
    stop = StopRequest()
    before = signal.getsignal(signal.SIGTERM)
    stop.install()

    def after_step(done: int) -> None:
        if done == end_after:
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        run(
            line,
            settings,
            CheckpointStore(folder, hash_),
            ProgressFile(folder, "teach", settings.steps),
            stop,
            after_step=after_step,
            losses=losses,
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    return line


def weights(line: Line) -> list[torch.Tensor]:
    return [value.detach() for value in line.parameters()]


@pytest.mark.parametrize("end_after", [1, 6, 8, 11])
def test_interrupted_and_resumed_equals_undisturbed_bit_for_bit(tmp_path, end_after):
    undisturbed = train(tmp_path / "a")
    with pytest.raises(SystemExit) as caught:
        train(tmp_path / "b", end_after=end_after)
    assert caught.value.code == 143
    # Another process would not have these random states; this one may not depend on them either.
    torch.manual_seed(999)
    resumed = train(tmp_path / "b")
    assert resumed.seen == undisturbed.seen[end_after:]
    for left, right in zip(weights(undisturbed), weights(resumed), strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize("end_after", [1, 6, 8])
def test_the_losses_of_all_attempts_are_kept_once(tmp_path, end_after):
    whole, resumed = LossHistory(SETTINGS.steps), LossHistory(SETTINGS.steps)
    undisturbed = train(tmp_path / "a", losses=whole)
    assert [point["loss"] for point in whole.record()["points"]] == pytest.approx(undisturbed.seen, abs=1e-6)
    with pytest.raises(SystemExit):
        train(tmp_path / "b", end_after=end_after)
    train(tmp_path / "b", losses=resumed)
    assert resumed.record() == whole.record()


def test_a_killed_one_resumes_from_its_last_checkpoint(tmp_path):
    undisturbed = train(tmp_path / "a")

    def dies(line):
        def loss(step, rng):
            if step == 7:
                raise KeyboardInterrupt
            return Line.loss(line, step, rng)

        return loss

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "b", loss=dies)
    resumed = train(tmp_path / "b")
    assert resumed.seen == undisturbed.seen[4:]
    assert torch.equal(weights(undisturbed)[0], weights(resumed)[0])


def test_a_finished_training_is_not_trained_again(tmp_path):
    first = train(tmp_path)
    again = train(tmp_path)
    assert again.seen == []
    assert torch.equal(weights(first)[0], weights(again)[0])


def test_the_seed_decides(tmp_path):
    other = LoopSettings(steps=12, checkpoint_every=4, learning_rate=0.05, seed=4, warmup=5)
    assert train(tmp_path / "a").seen == train(tmp_path / "b").seen
    assert train(tmp_path / "a2", other).seen != train(tmp_path / "b2").seen


def test_it_learns(tmp_path):
    longer = LoopSettings(steps=300, checkpoint_every=300, learning_rate=0.05, seed=3)
    seen = train(tmp_path, longer).seen
    assert sum(seen[-50:]) < 0.5 * sum(seen[:50])


def test_warm_up_begins_small_and_ends_at_the_learning_rate(tmp_path):
    # AdamW's first update is the learning rate itself, whatever the gradient: it shows in the weights.
    seed_everything(3)
    fresh = weights(Line())
    one = LoopSettings(steps=1, checkpoint_every=1, learning_rate=0.05, seed=3, warmup=5, weight_decay=0.0)
    change = (weights(train(tmp_path, one))[0] - fresh[0]).abs().max()
    assert float(change) == pytest.approx(0.01, rel=1e-3)


def test_a_loss_that_is_not_finite_ends_the_training_without_a_checkpoint_of_it(tmp_path):
    def diverges(line):
        return lambda step, rng: Line.loss(line, step, rng) * (float("nan") if step >= 5 else 1)

    with pytest.raises(ProxytuneError, match="learning rate") as caught:
        train(tmp_path, loss=diverges)
    assert caught.value.name == "TrainingDiverged"
    assert CheckpointStore(tmp_path, "settings").newest().step == 4


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    train(tmp_path)
    with pytest.raises(ProxytuneError) as caught:
        train(tmp_path, hash_="others")
    assert caught.value.name == "CheckpointUnusable"
