"""Transfers from the CPU to the model's device that do not wait for it.

A GPU executes its queue while Python is already ahead. A copy from ordinary memory ends that: the driver
waits until everything before it is done, and the GPU then waits for Python. From pinned memory the copy is
only queued. So everything that a step samples or selects on the CPU is transferred here, and the numbers that
a step needs in Python (lengths, row indices) are known before the transfer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device without waiting; one that is there already is returned as it is.

    Pinned memory is kept by torch until the copy is done, so `values` may be changed or dropped at once.
    """
    if device.type != "cuda" or values.device.type != "cpu":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def index_tensor(indices: Sequence[int], device: torch.device) -> Tensor:
    """Return the indices as (n,) int64 on a device: indexing by a list would wait, by this it does not."""
    return to_device(torch.tensor(list(indices), dtype=torch.long), device)
