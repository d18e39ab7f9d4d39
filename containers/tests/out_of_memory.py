"""Trainings by the real loop whose memory runs out, which is simulated."""

import torch

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.training.loop import LoopSettings, run

MESSAGE = "CUDA out of memory. Tried to allocate 2.00 GiB."


def run_out(trainer, loss, fits):
    """Let memory run out at the end of the third and later forward passes, unless the trainer's plan fits.

    Args:
        loss: name of the trainer's method that computes a loss.
        fits: from a `MemoryPlan` to bool.
    """
    real, calls = getattr(trainer, loss), []

    def failing(*given):
        value = real(*given)
        calls.append(value)
        if len(calls) > 2 and not fits(trainer.memory):
            raise torch.OutOfMemoryError(MESSAGE)
        return value

    setattr(trainer, loss, failing)


def train(trainer, folder):
    """Train four steps; returns the adapter."""
    settings = LoopSettings(steps=4, checkpoint_every=4, learning_rate=1e-2, seed=3)
    run(
        trainer,
        settings,
        CheckpointStore(folder, "settings"),
        ProgressFile(folder, "teach", 4),
        StopRequest(),
    )
    return {name: value.detach().clone() for name, value in trainer.named_parameters()}


def assert_same_as_from_the_start(prepare, loss, folder, capsys):
    """Assert that after running out of memory a training equals one that recomputed from the start."""
    expected = prepare()
    assert expected.save_memory()
    wanted = train(expected, folder / "expected")
    capsys.readouterr()
    trainer = prepare()
    assert not trainer.memory.checkpointing
    run_out(trainer, loss, lambda plan: plan.checkpointing)
    result = train(trainer, folder / "job")
    assert "Out of memory; from here on activations are recomputed." in capsys.readouterr().out
    assert trainer.memory.checkpointing
    assert result.keys() == wanted.keys()
    assert all(torch.equal(result[name], wanted[name]) for name in wanted)
    assert any(value.any() for name, value in result.items() if "lora_B" in name)
