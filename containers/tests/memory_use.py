"""Modules that were not freed."""

import gc
from collections.abc import Iterable

from torch import nn


def living(*, collect: bool = True) -> list[nn.Module]:
    """List every module that is still referenced in this process.

    Args:
        collect: True to free reference cycles first.
    """
    if collect:
        gc.collect()
    # By their types: some objects of torch and transformers do not support isinstance.
    return [each for each in gc.get_objects() if issubclass(type(each), nn.Module)]


def left_over(before: list[nn.Module], expected: Iterable[nn.Module], *, collect: bool = True) -> set[str]:
    """Return the class names of the modules that live now, but neither `before` nor in `expected` ones."""
    known = {id(module) for module in before}
    known |= {id(part) for module in expected for part in module.modules()}
    return {type(module).__name__ for module in living(collect=collect) if id(module) not in known}
