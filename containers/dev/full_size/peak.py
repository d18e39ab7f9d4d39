"""The most memory that tensors take at once, on any device, the meta device too."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LivingTensors(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make while each lives.

    Args:
        model: whose own tensors are not counted, nor views of them.

    Attributes:
        peak: the most that lived at once.
    """

    def __init__(self, model: nn.Module | None = None) -> None:
        super().__init__()
        own = () if model is None else (*model.parameters(), *model.buffers())
        self._living = {value.untyped_storage()._cdata: 0 for value in own}
        self._bytes, self.peak = 0, 0

    def __torch_dispatch__(
        self,
        operation: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation and count the storages that are new."""
        del types
        result = operation(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, torch.Tensor):
                storage = value.untyped_storage()
                if storage._cdata not in self._living:
                    self._living[storage._cdata] = storage.nbytes()
                    self._bytes += storage.nbytes()
                    weakref.finalize(storage, self._freed, storage._cdata)
        self.peak = max(self.peak, self._bytes)
        return result

    def _freed(self, storage: int) -> None:
        self._bytes -= self._living.pop(storage)
