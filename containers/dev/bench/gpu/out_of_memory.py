"""The fallbacks where memory runs out: smaller batches of images, activations that are recomputed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from dev.bench.gpu.bench import Bench, gib
from dev.bench.gpu.models import Training, chunk, student_generator, teacher_generator, teacher_training
from proxytune.training.device import free_memory

TEACHER, STUDENT = "sdxl", "llamagen-xl"
# Denoising steps of the teacher's images: the first needs as much memory as all of them.
STEPS = 2
BATCH = 4
# Optimizer steps of the training.
TRAINED = 3


def fallbacks(bench: Bench) -> None:
    """Train and generate with less memory than needed."""
    _train(bench)
    free_memory(bench.device)
    generator = teacher_generator(bench, TEACHER)
    size = bench.recipe(TEACHER)["size"]
    network = getattr(generator.pipeline, generator.family.network)
    # Guidance doubles the rows.
    request = chunk(bench.recipe(TEACHER), size, BATCH, steps=STEPS)
    _generate(bench, generator, network, TEACHER, request, 4)
    del generator, network
    free_memory(bench.device)
    student = student_generator(bench, STUDENT, image_size=256)
    request = chunk(bench.recipe(STUDENT), student.family.image_size, BATCH)
    _generate(bench, student, student.variant("base"), STUDENT, request, 4)


def _train(bench: Bench) -> None:
    """Train where the activations of a step do not fit, and record how the training continued."""
    training = teacher_training(bench, TEACHER)
    with _short_of_memory(bench, training) as limit:
        training.run(bench.folder / "out-of-memory", TRAINED)
    plan = training.trainer.memory
    bench.record(
        model=TEACHER, steps=TRAINED, recomputed=plan.checkpointing, parts=plan.parts, limit_gib=limit
    )
    if not plan.checkpointing:
        raise RuntimeError("the training kept its activations, so memory did not run out")


@contextmanager
def _short_of_memory(bench: Bench, training: Training) -> Iterator[float | None]:
    """Within this context memory suffices for half of the activations that a step keeps.

    On a CPU, which has no such limit, the loss refuses a plan that keeps them.
    """
    if not bench.on_gpu:
        loss = training.trainer.loss

        def refusing(*given: Any) -> torch.Tensor:
            if not training.trainer.memory.checkpointing:
                raise torch.OutOfMemoryError("refused by the bench")
            return loss(*given)

        setattr(training.trainer, "loss", refusing)  # noqa: B010 - a method is replaced
        yield None
        return
    with bench.peak_memory() as peak:
        training.run(bench.folder / "in-memory", 1)
        used = float(peak() or 0)
    free_memory(bench.device)
    limit = (used + torch.cuda.memory_allocated(bench.device) / 2**30) / 2
    with _capped(bench, limit):
        yield gib(limit * 2**30)


@contextmanager
def _capped(bench: Bench, limit: float) -> Iterator[None]:
    """Within this context the process has no more than so many GiB."""
    whole = torch.cuda.get_device_properties(bench.device).total_memory
    torch.cuda.set_per_process_memory_fraction(limit * 2**30 / whole)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def _generate(
    bench: Bench, generator: Any, network: torch.nn.Module, model: str, request: Any, rows: int
) -> None:
    """Generate a batch where half of it fits, and record how many images there were."""
    with _limited(bench, lambda count: generator.generate(_first(request, count)), network, rows) as limit:
        images = generator.generate(_batched(request))
    bench.record(
        model=model,
        images=len(images),
        wanted=len(request.pictures),
        limit_gib=limit,
        batch_after=generator._backoff.batch_size(BATCH),
    )
    if len(images) != len(request.pictures):
        raise RuntimeError(f"{len(images)} of {len(request.pictures)} images were generated")


@contextmanager
def _limited(
    bench: Bench, generate: Callable[[int], object], network: torch.nn.Module, rows: int
) -> Iterator[float | None]:
    """Within this context memory does not suffice for the batch, but for half of it.

    On a CPU, which has no such limit, the network's first layer refuses more rows.
    """
    if not bench.on_gpu:
        first = next(part for part in network.modules() if isinstance(part, torch.nn.Linear))
        hook = first.register_forward_pre_hook(_refusing(rows))
        try:
            yield None
        finally:
            hook.remove()
        return
    peaks = []
    for count in (1, BATCH):
        free_memory(bench.device)
        with bench.peak_memory() as peak:
            generate(count)
            peaks.append(float(peak() or 0))
    limit = sum(peaks) / 2
    free_memory(bench.device)
    with _capped(bench, limit):
        yield gib(limit * 2**30)


def _refusing(rows: int) -> Any:
    def refuse(_module: Any, given: tuple[torch.Tensor, ...]) -> None:
        if len(given[0]) > rows:
            raise torch.OutOfMemoryError("refused by the bench")

    return refuse


def _batched(request: Any) -> Any:
    return replace(request, batch_size=BATCH)


def _first(request: Any, count: int) -> Any:
    return replace(request, batch_size=count, pictures=request.pictures[:count])
