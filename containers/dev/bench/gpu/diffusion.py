"""Images of a full-size teacher: seconds of a denoising step and of the rest, from runs of two lengths."""

from __future__ import annotations

from functools import partial

from dev.bench.gpu.bench import Bench
from dev.bench.gpu.models import chunk, teacher_generator

# Denoising steps of the two runs; their difference is that of so many steps, without decoding.
SHORT, LONG = 2, 8


def images(bench: Bench, model: str) -> None:
    """Measure one batch of the standard recipe, not compiled, with few steps; derive the recipe's images."""
    recipe = bench.recipe(model)
    generator, batch, size = teacher_generator(bench, model), recipe["drawBatch"], recipe["size"]
    short, long = (1, 2) if bench.tiny else (SHORT, LONG)
    if bench.tiny:
        batch = 2
    requests = {steps: chunk(recipe, size, batch, steps=steps) for steps in (short, long)}
    generator.generate(requests[short])
    with bench.peak_memory() as peak:
        seconds = {
            steps: bench.seconds(partial(generator.generate, request)) for steps, request in requests.items()
        }
        used = peak()
    # Not less than nothing, as it can be for tiny models.
    step = max(0.0, (seconds[long] - seconds[short]) / (long - short))
    rest = max(0.0, seconds[short] - short * step)
    whole = rest + recipe["sampler"]["steps"] * step
    bench.record(
        batch=batch,
        size=size,
        seconds_per_denoising_step=round(step, 4),
        seconds_for_the_rest=round(rest, 4),
        steps=recipe["sampler"]["steps"],
        images_per_second=round(batch / whole, 4),
        peak_gib=used,
    )
