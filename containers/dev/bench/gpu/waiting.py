"""Training steps, denoising steps and tokens under CUDA's sync debug mode: how often each waits for the GPU.

Tiny models suffice: what waits does so at any size.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from dev.bench.gpu.bench import Bench
from dev.bench.gpu.models import (
    chunk,
    student_generator,
    student_training,
    teacher_generator,
    teacher_training,
)
from dev.bench.gpu.sampling import graphs

TEACHERS, STUDENTS = ("sdxl", "sd3-medium", "flux-dev"), ("llamagen-xl", "lumina-mgpt-7b", "janus-pro-1b")
STEPS = 4


def steps_and_tokens(bench: Bench) -> None:
    """Count the waits of each family."""
    tiny = replace(bench, tiny=True)
    # On a CPU nothing waits: one of each role tests the bench.
    teachers, students = (TEACHERS, STUDENTS) if bench.on_gpu else (TEACHERS[:1], STUDENTS[:1])
    for model in teachers:
        bench.record(model=model, what="training", **_training(tiny, teacher_training(tiny, model)))
        generator = teacher_generator(tiny, model)
        recipe = tiny.recipe(model)
        request = chunk(recipe, recipe["size"], 1, steps=STEPS)
        with _waits(tiny) as waits:
            generator.generate(request)
        bench.record(model=model, what="an image", denoising_steps=STEPS, waits=waits())
    for model in students:
        bench.record(model=model, what="training", **_training(tiny, student_training(tiny, model)))
        student = student_generator(tiny, model)
        # A replayed graph cannot wait; the same steps without it could.
        with graphs(allowed=False), _waits(tiny) as waits:
            student.generate(chunk(tiny.recipe(model), student.family.image_size, 1))
        bench.record(model=model, what="an image", waits=waits())


def _training(bench: Bench, training: Any) -> dict[str, Any]:
    """Count the waits of the steps between the first and the last, which writes a checkpoint."""
    collected: list[Any] = []
    with _waits(bench) as waits:
        # The loop writes progress, which reads the loss, at most once a second.
        folder = bench.folder / f"waits-{id(training)}"
        training.run(folder, STEPS, after_step=lambda _: collected.append(waits()))
    middle = None if collected[0] is None else collected[-1] - collected[0]
    return {"steps": STEPS - 1, "waits": middle}


@contextmanager
def _waits(bench: Bench) -> Iterator[Any]:
    """Within this context count synchronizing operations; yields what returns their number, None on a CPU."""
    if not bench.on_gpu:
        yield lambda: None
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield lambda: sum("synchronizing" in str(one.message) for one in caught)
        finally:
            torch.cuda.set_sync_debug_mode("default")
