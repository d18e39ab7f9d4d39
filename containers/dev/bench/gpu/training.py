"""A training step of a full-size model: seconds, memory, and the share of the card's peak."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from dev.bench.gpu.bench import Bench
from dev.bench.gpu.estimates import estimated_gib
from dev.bench.gpu.models import SEED, Training, student_training, teacher_training

# Steps before the measured ones: kernels are chosen and memory is allocated in the first.
WARM_UP, MEASURED = 3, 8


def teacher_step(bench: Bench, model: str) -> None:
    """Measure a step of a teacher's standard recipe, with all activations kept and with them recomputed."""
    training = teacher_training(bench, model)
    _measure(bench, training, activations="as planned")
    if training.trainer.save_memory():
        _measure(bench, training, activations="recomputed")


def student_step(bench: Bench, model: str) -> None:
    """Measure a step of a student's standard recipe."""
    _measure(bench, student_training(bench, model), activations="as planned")


def _measure(bench: Bench, training: Training, **facts: Any) -> None:
    tflop = _tflop(training)
    clock = _Clock(bench)
    measured = 1 if bench.tiny else MEASURED
    with bench.peak_memory() as peak:
        steps = WARM_UP + measured
        training.run(bench.folder / f"job-{time.monotonic_ns()}", steps, after_step=clock.tick)
        used = peak()
    seconds = statistics.median(clock.seconds()[-measured:])
    bench.record(
        **facts,
        batch=training.recipe["batchSize"],
        size=training.recipe["size"],
        seconds_per_step=round(seconds, 4),
        tflop_per_step=round(tflop, 6),
        share_of_peak=bench.share_of_peak(tflop, seconds),
        peak_gib=used,
        estimated_gib=estimated_gib(training),
    )


def _tflop(training: Training) -> float:
    """Count the work of one step, as torch does: products and convolutions, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        for part in training.trainer.losses(0, torch.Generator().manual_seed(SEED)):
            part.backward()
    for _, value in training.trainer.named_parameters():
        value.grad = None
    return float(counter.get_total_flops()) / 1e12


class _Clock:
    """The time of each step, by events of the GPU, which do not make it wait."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._events = bench, []  # type: ignore[var-annotated]

    def tick(self, step: int) -> None:
        """Note that a step was taken."""
        del step
        if self._bench.on_gpu:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._events.append(event)
        else:
            self._events.append(time.perf_counter())

    def seconds(self) -> list[float]:
        """Return the seconds between each step and the one before it."""
        self._bench.wait()
        pairs = zip(self._events[:-1], self._events[1:], strict=True)
        if self._bench.on_gpu:
            return [before.elapsed_time(after) / 1000 for before, after in pairs]
        return [after - before for before, after in pairs]
