"""From the CPU to where the model is, without waiting for it.

A GPU works through what it was told while Python is already ahead. A copy from ordinary memory ends that: the
driver waits until everything before it is done, and the GPU then waits for Python. From pinned memory the
copy is only put in line. So all that a step draws or chooses on the CPU goes through here, and what a step
has to know of numbers (lengths, which rows) is known on the CPU before they are moved.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def moved(values: Tensor, device: torch.device) -> Tensor:
    """The same numbers on a device; those that are there are not copied.

    Pinned memory is kept by torch until the copy is done, so `values` may be changed or dropped at once.
    """
    if device.type != "cuda" or values.device.type != "cpu":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def numbered(places: Sequence[int], device: torch.device) -> Tensor:
    """(n,) int64 on a device: indexing by it does not wait, where indexing by a list would."""
    return moved(torch.tensor(list(places), dtype=torch.long), device)
