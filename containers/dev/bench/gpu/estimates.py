"""The product's own count of a training's memory: the one place of the bench that knows how it is made."""

from __future__ import annotations

from dev.bench.gpu.bench import gib
from dev.bench.gpu.models import Training


def estimated_gib(training: Training) -> dict[str, float]:
    """Count what a training step keeps, as its steps are computed now: activations, and all of it.

    Where activations are recomputed, those of the block that is being recomputed are not among them.

    Args:
        training: prepared.
    """
    trainer = training.trainer
    plan = trainer.memory
    kept = trainer.count_activations() // plan.parts
    return {"activations": gib(kept), "all": gib(plan.weights + plan.adapter + kept)}
