"""First steps of trainings, computed by however many processes share them.

    torchrun tests/training/shared_steps.py MODELS_FOLDER FILE

FILE receives the losses and the averaged gradients of every case, of the first process.
"""

# The tests' own modules are found after the path is set.
# ruff: noqa: E402
import sys
from pathlib import Path

import torch

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "student"), str(TESTS / "teacher")]

import students
import teaching
from torch import nn

from proxytune.training.distributed import Processes, join, leave

BATCH, STEPS = 4, 2
TEACHERS = ("sdxl-tiny", "sd3-medium-tiny")
STUDENTS = {"llamagen": "llamagen-tiny", "lumina": "lumina-tiny", "janus": "janus-pro-1b-tiny"}


def without_dropout(model: nn.Module) -> None:
    """Each process draws dropout of its own; everything else is to be equal."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "drop_path", "attention_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def trainers(models: Path, processes: Processes):
    photos = teaching.photo_set(models / f"photos-{processes.rank}-of-{processes.count}")
    for name in TEACHERS:
        yield name, teaching.prepared(models / name, photos, batch_size=BATCH, processes=processes)
    # Prompts of several lengths, some of which are dropped.
    prompts = [students.PROMPTS[index % 3] for index in range(6)]
    proxies = students.proxy_set(models / f"proxies-{processes.rank}-of-{processes.count}", prompts)
    for family, name in STUDENTS.items():
        given = {"batch_size": BATCH, "processes": processes, "caption_dropout": 0.5}
        trainer = students.prepared(family, models / name, proxies, **given)
        without_dropout(trainer._model)
        yield name, trainer


def steps(trainer, processes: Processes):
    """Losses and gradients of the first steps; the adapter, which starts as none, has an effect."""
    with torch.no_grad():
        for index, (_, value) in enumerate(trainer.named_parameters()):
            value.normal_(std=0.05, generator=torch.Generator().manual_seed(index))
    rng = torch.Generator().manual_seed(3)
    parameters = [value for _, value in trainer.named_parameters()]
    for step in range(STEPS):
        loss = trainer.loss(step, rng)
        loss.backward()
        loss = processes.average(parameters, loss)
        yield loss.detach().clone(), torch.cat([value.grad.flatten() for value in parameters])
        for value in parameters:
            value.grad = None


def first_steps_of(models: Path, processes: Processes):
    """Losses and gradients by model."""
    return {name: list(steps(trainer, processes)) for name, trainer in trainers(models, processes)}


def main(models: Path, file: Path) -> None:
    torch.set_num_threads(1)
    processes = join()
    found = first_steps_of(models, processes)
    if processes.first:
        torch.save(found, file)
    leave(processes)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
