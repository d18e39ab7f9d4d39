"""SIGTERM in the middle of a training, and resuming from its checkpoint, bit for bit."""

from __future__ import annotations

import os
import signal
import time

import torch
from torch import Tensor

from dev.bench.gpu.bench import Bench
from dev.bench.gpu.models import SEED, Training, teacher_training
from proxytune.contract.signals import EXIT_CODE, StopRequest
from proxytune.training.states import seed_everything

MODEL = "sdxl"
STEPS, STOPPED_AFTER = 6, 3


def resume(bench: Bench) -> None:
    """Compare a training that was stopped and resumed with one that was not, and that with its repetition."""
    training = teacher_training(bench, MODEL)
    start = _adapter(training)
    whole = _trained(bench, training, start, "whole")
    repeated = _trained(bench, training, start, "repeated")
    bench.record(what="repeated", **_compare(whole, repeated))

    stop = StopRequest().install()
    _reset(training, start)
    sent = 0.0

    def terminate(step: int) -> None:
        nonlocal sent
        if step == STOPPED_AFTER:
            sent = time.perf_counter()
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        training.run(bench.folder / "stopped", STEPS, stop=stop, after_step=terminate)
        code: object = 0
    except SystemExit as ended:
        code = ended.code
    seconds = time.perf_counter() - sent
    bench.record(what="SIGTERM", ended_with=code, seconds_to_end=round(seconds, 3))
    if code != EXIT_CODE:
        raise RuntimeError(f"SIGTERM ended the training with {code}; {EXIT_CODE} is right")

    # Nothing of the training's state may come from anywhere but the checkpoint.
    _reset(training, {name: torch.zeros_like(value) for name, value in start.items()})
    resumed_from = training.run(bench.folder / "stopped", STEPS)
    bench.record(what="resumed", resumed_from=resumed_from, **_compare(whole, _adapter(training)))


def _trained(bench: Bench, training: Training, start: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    _reset(training, start)
    training.run(bench.folder / name, STEPS)
    return _adapter(training)


def _reset(training: Training, adapter: dict[str, Tensor]) -> None:
    seed_everything(SEED)
    with torch.no_grad():
        for name, value in training.trainer.named_parameters():
            value.copy_(adapter[name])


def _adapter(training: Training) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in training.trainer.named_parameters()}


def _compare(one: dict[str, Tensor], other: dict[str, Tensor]) -> dict[str, object]:
    differences = [float((one[name] - other[name]).abs().max()) for name in one]
    return {
        "bit_for_bit": all(torch.equal(one[name], other[name]) for name in one),
        "largest_difference": max(differences),
    }
