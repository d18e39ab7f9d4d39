"""A stand-in for a CUDA graph on machines without a GPU: it repeats recorded operations, not their Python.

As on a GPU, every operation reads and writes the memory that it had when it was recorded. What Python decided
or computed then stays as it was: a step that depends on anything else but the contents of tensors gives other
results than the same step without a recording.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from proxytune.student.decoding import WARM_UP, SamplingStep, StepShape


class RecordedGraph(TorchDispatchMode):
    """The operations that were called within the context."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[Any, Any, Any, list[Tensor]]] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call an operation and keep it, with the tensors that it created."""
        given = kwargs or {}
        result = operation(*args, **given)
        memory = {_memory(value) for value in _tensors((args, given))}
        # Views, and what an operation changes in place, have the memory of its arguments.
        created = [value for value in _tensors(result) if _memory(value) not in memory]
        self._calls.append((operation, args, given, created))
        return result

    def replay(self) -> None:
        """Call the operations again, into the same memory."""
        for operation, args, given, created in self._calls:
            result = _tensors(operation(*args, **given))
            if created:
                for old, new in zip(created, result, strict=True):
                    old.copy_(new)

    def pool(self) -> None:
        """Return nothing: there is no memory of graphs."""


def record(step: SamplingStep, shape: StepShape, pool: object) -> RecordedGraph:
    """Record a step without taking it, in place of `student.decoding.record`."""
    del pool
    step.rehearse(shape, WARM_UP)
    before = (step._index.clone(), step._newest.clone())
    with RecordedGraph() as graph:
        step.run(shape)
    # CUDA records without computing.
    step._index.copy_(before[0])
    step._newest.copy_(before[1])
    return graph


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def _memory(value: Tensor) -> int:
    # Packed weights (`student.packing`) show no memory.
    return id(value) if value.layout is torch._mkldnn else value.untyped_storage().data_ptr()
