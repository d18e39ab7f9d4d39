"""A frozen network in 8 or 4 bits, for cards that cannot hold it in 16; its adapter is trained as ever.

Weights are kept as codes, with one scale for every 128 of a row, and become numbers again each time they are
used, in the backward pass too: what a layer takes while it waits is its codes. 8 bits are whole steps between
the largest weight and its negative; 4 bits are the sixteen levels of NF4 (QLoRA, arXiv 2305.14314), which lie
as weights do. Only the blocks that a network repeats are quantised: they hold almost all of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

BITS = (8, 4)
# One float32 for so many weights is a quarter of a bit each.
BLOCK = 128
# Quantile at which NF4's outermost levels stand, so that neither is at infinity (appendix E of the paper).
OUTERMOST = 0.9677083


def levels() -> Tensor:
    """(16,) float32: NF4's levels, from -1 to 1, zero among them."""
    below = -torch.special.ndtri(torch.linspace(OUTERMOST, 0.5, 8, dtype=torch.float64))[:-1]
    above = torch.special.ndtri(torch.linspace(OUTERMOST, 0.5, 9, dtype=torch.float64))[:-1]
    found = torch.cat([below, torch.zeros(1, dtype=torch.float64), above]).sort().values
    return (found / found.max()).clamp(-1, 1).float()


def quantize(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Codes and scales of a matrix.

    Args:
        weight: (rows, columns).
        bits: 8 or 4.

    Returns:
        int8 (rows, columns), or uint8 (rows, columns / 2) with two codes a byte; float32 (rows, blocks).
    """
    blocks = weight.float().unflatten(1, (-1, math.gcd(weight.shape[1], BLOCK)))
    scales = blocks.abs().amax(-1).clamp(min=1e-12)
    shares = (blocks / scales[..., None]).flatten(1)
    if bits == 8:
        return (shares * 127).round().to(torch.int8), scales
    found = levels().to(weight.device)
    codes = torch.bucketize(shares, (found[1:] + found[:-1]) / 2).to(torch.uint8)
    return codes[:, ::2] << 4 | codes[:, 1::2], scales


def restore(codes: Tensor, scales: Tensor, table: Tensor, dtype: torch.dtype) -> Tensor:
    """The matrix that codes and scales stand for, (rows, columns).

    Args:
        table: what a code of 4 bits stands for; one of 8 bits is a number itself.
    """
    if codes.dtype == torch.int8:
        shares = codes.float() / 127
    else:
        halves = torch.stack([codes >> 4, codes & 15], dim=-1).flatten(1)
        shares = table[halves.int()]
    blocks = shares.unflatten(1, (scales.shape[1], -1)) * scales[..., None]
    return blocks.flatten(1).to(dtype)


class QuantizedLinear(nn.Linear):
    """A frozen linear layer that holds codes in place of weights."""

    def __init__(self, linear: nn.Linear, bits: int) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        codes, scales = quantize(linear.weight.data, bits)
        self.weight = nn.Parameter(codes, requires_grad=False)
        self.scales: Tensor
        self.table: Tensor
        self.register_buffer("scales", scales)
        # On the device, so that no step waits for it to come there.
        self.register_buffer("table", levels().to(codes.device))
        self.bias = linear.bias

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name of it
        """As nn.Linear, in the input's type."""
        product: Tensor = _Product.apply(input, self.weight, self.scales, self.table)  # type: ignore[no-untyped-call]
        return product if self.bias is None else product + self.bias.to(product.dtype)


class _Product(torch.autograd.Function):
    """Input times weights; keeps the codes for the way back, where a plain product would keep the weights."""

    @staticmethod
    def forward(context: Any, given: Tensor, codes: Tensor, scales: Tensor, table: Tensor) -> Tensor:
        context.save_for_backward(codes, scales, table)
        return given @ restore(codes, scales, table, given.dtype).T

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,), (codes, scales, table) = gradients, context.saved_tensors
        return gradient @ restore(codes, scales, table, gradient.dtype), None, None, None


def quantize_blocks(blocks: Iterable[nn.Module], bits: int) -> int:
    """Put codes in the place of every linear layer's weights in these blocks; how many layers they were."""
    count = 0
    for block in blocks:
        for parent in list(block.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.Linear and child.in_features % 2 == 0:
                    setattr(parent, name, QuantizedLinear(child, bits))
                    count += 1
    return count
