"""A frozen network in 8 or 4 bits, for GPUs without the memory for 16; its adapter is trained as usual.

Weights are stored as codes, with one scale for every 128 of a row, and restored each time they are used, in
the backward pass too: between uses a layer takes the memory of its codes only. 8 bits are equal steps between
the largest weight and its negative; 4 bits are the sixteen levels of NF4 (QLoRA, arXiv 2305.14314), which are
distributed like weights. Only the blocks that a network repeats are quantised: they are almost all of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

# One float32 for this many weights is a quarter of a bit each.
BLOCK = 128
# Quantile of NF4's outermost levels, so that neither is at infinity (appendix E of the paper).
OUTERMOST = 0.9677083


def levels() -> Tensor:
    """Return NF4's levels, (16,) float32, from -1 to 1, zero among them."""
    below = -torch.special.ndtri(torch.linspace(OUTERMOST, 0.5, 8, dtype=torch.float64))[:-1]
    above = torch.special.ndtri(torch.linspace(OUTERMOST, 0.5, 9, dtype=torch.float64))[:-1]
    unscaled = torch.cat([below, torch.zeros(1, dtype=torch.float64), above]).sort().values
    return (unscaled / unscaled.max()).clamp(-1, 1).float()


def quantize(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Quantise a matrix to codes and scales.

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
    table = levels().to(weight.device)
    codes = torch.bucketize(shares, (table[1:] + table[:-1]) / 2).to(torch.uint8)
    return codes[:, ::2] << 4 | codes[:, 1::2], scales


def restore(codes: Tensor, scales: Tensor, table: Tensor, dtype: torch.dtype) -> Tensor:
    """Restore the matrix of codes and scales, (rows, columns).

    Args:
        table: the values of the codes of 4 bits; those of 8 bits are numbers themselves.
    """
    if codes.dtype == torch.int8:
        shares = codes.float() / 127
    else:
        halves = torch.stack([codes >> 4, codes & 15], dim=-1).flatten(1)
        shares = table[halves.int()]
    blocks = shares.unflatten(1, (scales.shape[1], -1)) * scales[..., None]
    return blocks.flatten(1).to(dtype)


class QuantizedLinear(nn.Linear):
    """A frozen linear layer with codes in place of weights."""

    def __init__(self, linear: nn.Linear, bits: int) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        codes, scales = quantize(linear.weight.data, bits)
        self.weight = nn.Parameter(codes, requires_grad=False)
        self.scales: Tensor
        self.table: Tensor
        self.register_buffer("scales", scales)
        # On the device, so that no step waits for its transfer.
        self.register_buffer("table", levels().to(codes.device))
        self.bias = linear.bias

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name of it
        """Compute as nn.Linear does, in the input's type."""
        # torch declares `apply` without types.
        product: Tensor = _Product.apply(input, self.weight, self.scales, self.table)  # type: ignore[no-untyped-call]
        return product if self.bias is None else product + self.bias.to(product.dtype)


class _Product(torch.autograd.Function):
    """Input times weights; keeps the codes for the backward pass, not the weights as a plain product does."""

    @staticmethod
    def forward(context: Any, values: Tensor, codes: Tensor, scales: Tensor, table: Tensor) -> Tensor:
        context.save_for_backward(codes, scales, table)
        return values @ restore(codes, scales, table, values.dtype).T

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,), (codes, scales, table) = gradients, context.saved_tensors
        return gradient @ restore(codes, scales, table, gradient.dtype), None, None, None


def quantize_blocks(blocks: Iterable[nn.Module], bits: int) -> int:
    """Quantise every linear layer in these blocks, in place; returns the number of layers."""
    count = 0
    for block in blocks:
        for parent in list(block.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.Linear and child.in_features % 2 == 0:
                    setattr(parent, name, QuantizedLinear(child, bits))
                    count += 1
    return count
