"""What the families need of any torch module: what is inside, whether weights fit it, and its mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from torch import Tensor, nn


def bare(model: nn.Module) -> nn.Module:
    """The model inside a peft wrapper (adapters stay in effect), or the model itself."""
    unwrap = getattr(model, "get_base_model", None)
    return model if unwrap is None else cast("Callable[[], nn.Module]", unwrap)()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode, and every part of it back into the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def differences(expected: dict[str, Tensor], given: dict[str, Tensor]) -> list[str]:
    """Say, a line each, which keys are missing, unknown or of another shape."""
    lines = [f"{key} is missing" for key in expected if key not in given]
    lines += [f"{key} is unknown" for key in given if key not in expected]
    lines += [
        f"{key} is {tuple(given[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in given and given[key].shape != tensor.shape
    ]
    return lines
