"""Helpers for any torch module: the model inside a wrapper, its mode, and whether weights fit it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


def bare(model: nn.Module, kind: type[Model]) -> Model:
    """Return the model inside a peft wrapper (adapters stay in effect), or the model itself.

    Raises:
        TypeError: it is not of this kind.
    """
    unwrap = getattr(model, "get_base_model", None)
    inner = model if unwrap is None else cast("Callable[[], nn.Module]", unwrap)()
    if not isinstance(inner, kind):
        raise TypeError(f"{type(inner).__name__} given; allowed: a {kind.__name__}, also wrapped by peft")
    return inner


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode, and restore the mode of every part of it afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def differences(expected: dict[str, Tensor], given: dict[str, Tensor]) -> list[str]:
    """List the keys that are missing, unknown or of another shape, a line each."""
    lines = [f"{key} is missing" for key in expected if key not in given]
    lines += [f"{key} is unknown" for key in given if key not in expected]
    lines += [
        f"{key} is {tuple(given[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in given and given[key].shape != tensor.shape
    ]
    return lines
