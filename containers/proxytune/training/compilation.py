"""torch.compile, layer by layer, where it saves time: on a GPU, in jobs that are long enough."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

# Compiling the first layer and the one that all others equal takes about a minute. Shorter trainings would
# take longer with it (an estimate, not measured: it saves a tenth of a second per step).
WORTHWHILE_STEPS = 400


def possible(device: torch.device) -> bool:
    """Return True where kernels can be compiled: on a GPU, with the C compiler that Triton calls."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    return device.type == "cuda" and compiler is not None


def layers_of(network: nn.Module, kinds: Collection[str]) -> list[nn.Module]:
    """Return the layers of a network whose class has one of these names."""
    return [layer for layer in network.modules() if type(layer).__name__ in kinds]


def compile_layers(layers: Iterable[nn.Module], *, backend: str = "inductor", fixed: bool = False) -> None:
    """Compile each layer in place; weights, names and hooks stay as they are.

    Layers of the same code share the compiled code. Where compilation fails, torch runs them uncompiled if
    TORCHDYNAMO_SUPPRESS_ERRORS is set, as proxytune.__main__ does.

    Args:
        fixed: True when inputs have one shape only, which gives the fastest kernels; another shape is
            compiled again.
    """
    for layer in layers:
        layer.compile(backend=backend, dynamic=False if fixed else None)


@contextmanager
def eagerly() -> Iterator[None]:
    """Within this context compiled layers run uncompiled, and nothing is compiled."""
    with torch.compiler.set_stance("force_eager"):
        yield


def undo(layers: Iterable[nn.Module]) -> None:
    """Remove the compiled code, before the layers are changed, which would compile them again."""
    for layer in layers:
        layer._compiled_call_impl = None
