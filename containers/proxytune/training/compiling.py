"""torch.compile for training, layer by layer, where it pays: on a GPU, in trainings that are long enough."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

import torch
from torch import nn

# Compiling the first layer and the one that all others equal takes about a minute. Shorter trainings would
# lose by it (an estimate, not measured: a tenth of a second saved a step).
WORTHWHILE_STEPS = 400


def possible(device: torch.device) -> bool:
    """Whether kernels can be compiled: on a GPU, with the C compiler that Triton calls."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    return device.type == "cuda" and compiler is not None


def compile_layers(layers: Iterable[nn.Module], *, backend: str = "inductor") -> None:
    """Compile each layer in place; weights, names and hooks stay as they are.

    Layers of the same code share what is compiled. Where compiling fails, torch computes as without.
    """
    torch._dynamo.config.suppress_errors = True
    for layer in layers:
        layer.compile(backend=backend)


def undo(layers: Iterable[nn.Module]) -> None:
    """Compute as written again: before the layers are changed, which would compile them anew."""
    for layer in layers:
        layer._compiled_call_impl = None
