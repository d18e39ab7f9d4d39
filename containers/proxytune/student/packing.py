"""Linear layers on a CPU with their weights in the order in which oneDNN reads them.

Sampling multiplies a few rows with every weight for every token. MKL's product, which torch uses for float32,
is made for many rows: with 8 of them oneDNN over packed weights took two thirds of its time (2 threads of an
AMD EPYC; see docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# Rows to pack for; other numbers of rows compute the same.
ROWS = 8


@contextmanager
def packed(model: nn.Module) -> Iterator[None]:
    """Compute a model's linear layers from packed weights while inside, without gradient.

    Does nothing on another device, in another number format, or where torch was built without oneDNN. Needs
    the weights' memory once more. Sums are rounded differently from outside.
    """
    # Only plain layers: those of an adapter compute in the format of their input.
    changed = [module for module in model.modules() if type(module) is nn.Linear and _suits(module)]
    try:
        for module in changed:
            # mypy allows no method of one instance to be replaced; removing the attribute below restores it.
            module.forward = _product(module.weight)  # type: ignore[assignment,method-assign]
        yield
    finally:
        for module in changed:
            vars(module).pop("forward", None)


def _suits(module: nn.Linear) -> bool:
    """A float32 layer on the CPU, without a replaced forward."""
    return (
        module.bias is None
        and module.weight.device.type == "cpu"
        and module.weight.dtype == torch.float32
        and "forward" not in vars(module)
        and torch.backends.mkldnn.is_available()
    )


def _product(weight: Tensor) -> Callable[[Tensor], Tensor]:
    # Not public, but torch's version is fixed (requirements.txt); its own compiler packs by these two.
    order = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), ROWS)

    def forward(x: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x, order, None, "none", [], "")
        return result

    return forward
