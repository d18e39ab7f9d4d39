"""Images of a full-size student: tokens a second, next to what the card's memory allows at most."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from dev.bench.gpu.bench import Bench
from dev.bench.gpu.models import chunk, student_generator
from dev.full_size.tokens import token_bytes
from proxytune.student.token_generator import TokenGenerator
from proxytune.training import compilation

# Images of this side instead of the model's own, where those would take minutes without a graph.
SIZES = {"lumina-mgpt-7b": 256}


def images(bench: Bench, model: str) -> None:
    """Measure a full batch of the standard recipe: as the product samples it, and without CUDA graphs."""
    generator = _generator(bench, model)
    # The first batch chooses kernels.
    _measure(bench, generator, model, kind="first batch")
    _measure(bench, generator, model, kind="as the product samples")
    with graphs(allowed=False):
        _measure(bench, generator, model, kind="step by step")


def compiled(bench: Bench, model: str) -> None:
    """Measure a full batch with compiled layers, in a CUDA graph and without."""
    generator = _generator(bench, model)
    layers = generator.family.layers_to_compile(generator.variant("base"))
    compilation.compile_layers(layers, backend="eager" if bench.tiny else "inductor")
    _measure(bench, generator, model, kind="compiled, first batch")
    _measure(bench, generator, model, kind="compiled")
    with graphs(allowed=False):
        _measure(bench, generator, model, kind="compiled, step by step")


def _generator(bench: Bench, model: str) -> TokenGenerator:
    return student_generator(bench, model, image_size=SIZES.get(model))


def _measure(bench: Bench, generator: TokenGenerator, model: str, *, kind: str) -> None:
    recipe, size = bench.recipe(model), generator.family.image_size
    if bench.tiny:
        recipe = {**recipe, "drawBatch": 2}
    request = chunk(recipe, size, recipe["drawBatch"])
    made: list[Any] = []
    with bench.peak_memory() as peak, graphs(allowed=None) as seen, _decoding(generator) as tokens:
        seconds = bench.seconds(lambda: made.extend(generator.generate(request)))
        used = peak()
    # As many as an image has; all rows are sampled at once.
    count = tokens[0].shape[1]
    rows = recipe["drawBatch"] * (2 if request.sampler["guidance"] != 1 else 1)
    read = token_bytes(generator.variant("base"), rows, count)
    bandwidth = bench.peak("bandwidth")
    floor = None if bandwidth is None else read / bandwidth / 1e9
    bench.record(
        kind=kind,
        images=len(made),
        size=size,
        tokens_per_image=count,
        captured=seen.captured > 0,
        seconds=round(seconds, 3),
        # Decoding of the images included.
        images_per_second=round(len(made) / seconds, 4),
        milliseconds_per_token=round(1000 * seconds / count, 3),
        bandwidth_floor_milliseconds=None if floor is None else round(1000 * floor, 3),
        share_of_bandwidth=None if floor is None else round(floor * count / seconds, 3),
        peak_gib=used,
    )


@contextmanager
def _decoding(generator: TokenGenerator) -> Iterator[list[torch.Tensor]]:
    """Within this context collect the tokens that are decoded."""
    seen: list[torch.Tensor] = []
    family: Any = generator.family
    real = family.decode

    def decode(tokens: torch.Tensor) -> torch.Tensor:
        seen.append(tokens)
        image: torch.Tensor = real(tokens)
        return image

    family.decode = decode
    try:
        yield seen
    finally:
        del family.decode


@dataclass
class Graphs:
    """The number of CUDA graphs that were recorded."""

    captured: int = 0


@contextmanager
def graphs(*, allowed: bool | None) -> Iterator[Graphs]:
    """Within this context count the CUDA graphs that are recorded.

    Args:
        allowed: False refuses them as CUDA may, so that the product falls back to single steps; None leaves
            that as it is.
    """
    seen, real = Graphs(), torch.cuda.graph

    def graph(*given: Any, **named: Any) -> Any:
        if allowed is False:
            raise RuntimeError("refused by the bench")
        made = real(*given, **named)
        seen.captured += 1
        return made

    torch.cuda.graph = graph  # type: ignore[assignment, misc]
    try:
        yield seen
    finally:
        torch.cuda.graph = real  # type: ignore[misc]
