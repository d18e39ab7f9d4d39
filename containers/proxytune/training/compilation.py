"""torch.compile, layer by layer, where it pays: on a GPU, in jobs that are long enough."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

# Compiling the first layer and the one that all others equal takes about a minute. Shorter trainings would
# lose by it (an estimate, not measured: a tenth of a second saved a step).
WORTHWHILE_STEPS = 400


def possible(device: torch.device) -> bool:
    """Whether kernels can be compiled: on a GPU, with the C compiler that Triton calls."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    return device.type == "cuda" and compiler is not None


def layers_of(network: nn.Module, kinds: Collection[str]) -> list[nn.Module]:
    """The layers of a network whose class has one of these names."""
    return [layer for layer in network.modules() if type(layer).__name__ in kinds]


def compile_layers(layers: Iterable[nn.Module], *, backend: str = "inductor", fixed: bool = False) -> None:
    """Compile each layer in place; weights, names and hooks stay as they are.

    Layers of the same code share what is compiled. Where compiling fails, torch computes as without.

    Args:
        fixed: whether inputs have one shape only, which makes the fastest kernels; another shape is compiled
            anew.
    """
    torch._dynamo.config.suppress_errors = True
    for layer in layers:
        layer.compile(backend=backend, dynamic=False if fixed else None)


@contextmanager
def eagerly() -> Iterator[None]:
    """Inside, what is compiled computes as written, and nothing is compiled anew."""
    with torch.compiler.set_stance("force_eager"):
        yield


def undo(layers: Iterable[nn.Module]) -> None:
    """Compute as written again: before the layers are changed, which would compile them anew."""
    for layer in layers:
        layer._compiled_call_impl = None
