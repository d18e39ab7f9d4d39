"""The product's own estimates of memory: the one place of the bench that knows how they are made."""

from __future__ import annotations

from dev.bench.gpu.bench import gib
from dev.bench.gpu.models import Training
from proxytune.student.lora_trainer import StudentTrainer
from proxytune.teacher import memory
from proxytune.teacher.lora_trainer import TeacherTrainer


def estimated_gib(training: Training) -> dict[str, float]:
    """Return the product's estimate for a training step: activations, and all of it.

    Args:
        training: prepared.
    """
    trainer = training.trainer
    if isinstance(trainer, TeacherTrainer):
        return _teacher(trainer, training.recipe["batchSize"])
    return _student(trainer, training.recipe["batchSize"])


def _teacher(trainer: TeacherTrainer, batch: int) -> dict[str, float]:
    network = trainer.network
    length = trainer._embeddings.states.shape[1]
    one = trainer.family.activations(network.config, trainer.image_size, length)
    plan = memory.plan(
        network.parameters(),
        trainer.latents.vae.parameters(),
        memory.Activations(batch * one.kept, batch * one.recomputed),
        None,
    )
    total = plan.weights + plan.adapter + plan.activations
    return {"activations": gib(plan.activations), "all": gib(total)}


def _student(trainer: StudentTrainer, batch: int) -> dict[str, float]:
    kept = trainer.family.activation_bytes(trainer._model, batch)
    weights = sum(value.numel() * value.element_size() for value in trainer._model.parameters())
    trained = sum(value.numel() for _, value in trainer.named_parameters())
    # A gradient and two moments of AdamW for each trained parameter, float32.
    return {"activations": gib(kept), "all": gib(weights + 12 * trained + kept)}
