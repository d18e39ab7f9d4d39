"""The memory plan of a training: how its steps are computed so that they fit the GPU.

A step keeps its activations for the backward pass. Where those of its entire batch would not fit, the batch
is computed in parts whose gradients are added up, which costs almost no time. Where not even one image would
fit, activations are recomputed in the backward pass, and a step takes about 1.5 times as long. What a step
keeps is counted (`activation_memory`); the memory that a training really used is in progress.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

GIB = 2**30
# An adapter's parameter, its gradient and AdamW's two moments, all float32.
BYTES_PER_TRAINED_PARAMETER = 16
# The rest is for the libraries, the allocator's gaps, and tensors that live for one operation only: on the
# meta device the most that lives at once is 1 to 7 % above what is kept (see docs/performance.md).
USABLE = 0.8


def gpu_bytes(device: torch.device) -> int | None:
    """Return the memory of a device's GPU; None for the CPU."""
    if device.type != "cuda":
        return None
    properties: Any = torch.cuda.get_device_properties(device)
    return int(properties.total_memory)


@dataclass(frozen=True)
class MemoryPlan:
    """The parts of a training's memory, in bytes, and how its steps are computed.

    Attributes:
        kept: activations that a step of the entire batch would keep; None on the CPU, where none are counted.
        available: of the GPU; None on the CPU.
        parts: in which the batch is computed, one after the other.
        checkpointing: True when activations are recomputed.
        compiled: True when the network's blocks are compiled.
    """

    weights: int
    adapter: int
    kept: int | None
    available: int | None
    parts: int
    checkpointing: bool
    compiled: bool

    def __str__(self) -> str:
        numbers = {"weights": self.weights, "adapter": self.adapter}
        if self.kept is not None and not self.checkpointing:
            numbers["activations"] = self.kept // self.parts
        listed = " + ".join(f"{name} {value / GIB:.1f}" for name, value in numbers.items())
        device = "on the CPU" if self.available is None else f"of {self.available / GIB:.1f} GiB"
        activations = "activations kept"
        if self.checkpointing and self.kept is not None:
            activations = f"activations recomputed, as keeping them would take {self.kept / GIB:.1f} GiB"
        batch = "" if self.parts == 1 else f" (the batch is computed in {self.parts} parts)"
        blocks = "blocks compiled" if self.compiled else "not compiled"
        total = sum(numbers.values()) / GIB
        return f"memory plan: {listed} = {total:.1f} GiB {device}; {activations}{batch}; {blocks}"


def plan(
    model: nn.Module,
    others: Iterable[Tensor],
    kept: Callable[[], int],
    available: int | None,
    *,
    images: int = 1,
    compiled: bool = False,
) -> MemoryPlan:
    """Decide in how many parts the batch is computed, and whether activations are recomputed.

    Args:
        model: with its adapter.
        others: what else stays on the device, such as the VAE's parameters.
        kept: counts the bytes of activations that a step of the entire batch keeps.
        available: bytes of the GPU; None on the CPU, where nothing is counted and all is kept.
        images: of the batch, which may be divided; 1 where it may not.
        compiled: whether blocks are compiled, which does not change the plan.
    """
    own = (*model.parameters(), *model.buffers())
    frozen = [value for value in own if not value.requires_grad]
    weights = sum(value.numel() * value.element_size() for value in (*frozen, *others))
    adapter = BYTES_PER_TRAINED_PARAMETER * sum(value.numel() for value in own if value.requires_grad)
    if available is None:
        return MemoryPlan(weights, adapter, None, None, 1, checkpointing=False, compiled=compiled)
    counted, free = kept(), USABLE * available - weights - adapter
    divisors = (parts for parts in range(1, images + 1) if images % parts == 0)
    parts = next((parts for parts in divisors if counted / parts <= free), None)
    return MemoryPlan(
        weights, adapter, counted, available, parts or 1, checkpointing=parts is None, compiled=compiled
    )


def tighter(given: MemoryPlan, images: int) -> MemoryPlan | None:
    """Return the plan to continue with after memory ran out; None where there is none.

    Activations are recomputed first: it changes no number. Only then is the batch divided further, which
    changes the order of sums and what dropout draws.

    Args:
        images: as given to `plan`.
    """
    if not given.checkpointing:
        print("Out of memory; from here on activations are recomputed.", flush=True)
        return replace(given, checkpointing=True)
    parts = next((parts for parts in range(given.parts + 1, images + 1) if images % parts == 0), None)
    if parts is None:
        return None
    print(f"Out of memory; from here on the batch is computed in {parts} parts.", flush=True)
    return replace(given, parts=parts)
