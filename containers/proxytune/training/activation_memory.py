"""The memory of the activations that a training step keeps for its backward pass, counted, not estimated.

One forward pass is computed with gradient. torch shows every tensor that it would keep; its bytes are
counted, and it is dropped at once, so the count takes no more memory than a pass without gradient. It is the
same for every model, size and adapter, on any device: on torch's meta device for models without weights, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef


def kept_bytes(model: nn.Module, loss: Callable[[], Tensor]) -> int:
    """Return the bytes that computing a loss keeps for the backward pass, without the model's own tensors.

    Every storage counts once, whatever number of views of it is kept.

    Args:
        model: whose parameters and buffers are not counted.
        loss: computes with gradient; its random numbers are the caller's concern.
    """
    own = {value.untyped_storage()._cdata for value in (*model.parameters(), *model.buffers())}
    kept: dict[int, tuple[int, StorageWeakRef]] = {}

    def count(tensor: Tensor) -> None:
        storage: Any = tensor.untyped_storage()
        if storage._cdata not in own and storage._cdata not in kept:
            # While such a reference exists, no other storage gets the same address.
            kept[storage._cdata] = storage.nbytes(), StorageWeakRef(storage)

    def refuse(_: None) -> Tensor:
        raise RuntimeError("the activations were only counted; there is nothing to go back through")

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, refuse):
        loss()
    return sum(size for size, _ in kept.values())
