"""Losses in bfloat16 and in float32, of the same weights and the same random numbers."""

from __future__ import annotations

from typing import Any

import torch

from dev.bench.gpu.bench import Bench
from dev.bench.gpu.models import SEED, student_training, teacher_training

TEACHER, STUDENT = "sdxl", "llamagen-xl"
STEPS = 6


def losses(bench: Bench) -> None:
    """Compare a teacher's and a student's losses, computed in both types."""
    trainer: Any = teacher_training(bench, TEACHER, dtype=torch.bfloat16).trainer
    _compare(bench, TEACHER, trainer, trainer.network, "_embeddings")
    del trainer
    trainer = student_training(bench, STUDENT, batch_size=2).trainer
    _compare(bench, STUDENT, trainer, trainer._model, "")


def _compare(bench: Bench, model: str, trainer: Any, network: torch.nn.Module, inputs: str) -> None:
    """Compute the losses, then convert the same weights to float32 and compute them again."""
    network.eval()
    half = network.to(torch.bfloat16) if bench.tiny else network
    low = _losses(trainer, half)
    network.to(torch.float32)
    if inputs:
        embeddings = getattr(trainer, inputs)
        setattr(trainer, inputs, type(embeddings)(embeddings.states.float(), embeddings.pooled.float()))
    high = _losses(trainer, network)
    bench.record(
        model=model,
        bfloat16=[round(value, 6) for value in low],
        float32=[round(value, 6) for value in high],
        largest_relative_difference=round(
            max(abs(one - other) / other for one, other in zip(low, high, strict=True)), 6
        ),
    )


@torch.no_grad()
def _losses(trainer: Any, network: torch.nn.Module) -> list[float]:
    del network
    rng = torch.Generator().manual_seed(SEED)
    return [float(trainer.loss(step, rng)) for step in range(STEPS)]
