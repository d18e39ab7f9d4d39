"""Cross-entropy fused with the output layer: logits exist for a few rows at a time only.

An image token has as many logits as the codebook has codes. For a batch they are the largest tensor of a
training step, several times over: the logits, their softmax, the gradients of both. Here each portion of rows
gives its loss and its gradient at once and is freed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# Logits computed at once, as a number of elements. On a CPU the smallest portion that costs no time (1024
# rows of 512 on 16384 codes, 2 threads, forward and back: 2^20 390 ms, 2^21 310, 2^22 to 2^25 290, unfused
# 335); a GPU wants large products.
AT_ONCE, AT_ONCE_ON_GPU = 2**22, 2**25


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    share: Tensor,
    *,
    bias: Tensor | None = None,
    z_weight: float = 0.0,
) -> Tensor:
    """Weighted sum of the cross-entropy of logits `hidden @ weight.T + bias`.

    Args:
        hidden: (N, dim), the output layer's input.
        weight: (V, dim), the output layer's.
        targets: (N,) int64.
        share: (N,) weight of each row in the sum; 1 / N gives the mean, 0 leaves a row out.
        bias: (V,), the output layer's where it has one.
        z_weight: adds this times the squared logarithm of the softmax's denominator (the z-loss).

    Returns:
        A scalar, float32 for half precision, computed in float32.
    """
    total: Tensor = _LinearCrossEntropy.apply(hidden, weight, bias, targets, share, z_weight)
    return total


class _LinearCrossEntropy(torch.autograd.Function):
    """Computes the gradients in the forward pass, while a portion's logits are at hand."""

    @staticmethod
    def forward(
        context: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        share: Tensor,
        z_weight: float,
    ) -> Tensor:
        wide = torch.promote_types(hidden.dtype, torch.float32)
        wanted = context.needs_input_grad[:3]
        to_hidden = torch.empty_like(hidden) if wanted[0] else None
        to_weight = torch.zeros_like(weight, dtype=wide) if wanted[1] else None
        to_bias = torch.zeros(len(weight), dtype=wide, device=hidden.device) if wanted[2] else None
        total = torch.zeros((), dtype=wide, device=hidden.device)
        at_once = AT_ONCE if hidden.device.type == "cpu" else AT_ONCE_ON_GPU
        rows = max(1, at_once // len(weight))
        for start in range(0, len(hidden), rows):
            part = slice(start, start + rows)
            logits = torch.nn.functional.linear(hidden[part], weight, bias).to(wide)
            target, portion = targets[part, None], share[part, None].to(wide)
            log_sum = logits.logsumexp(dim=-1, keepdim=True)
            losses = log_sum - logits.gather(1, target) + z_weight * log_sum.square()
            total += (losses * portion).sum()
            if not any(wanted):
                continue
            slope = logits.sub_(log_sum).exp_()
            slope *= portion * (1 + 2 * z_weight * log_sum)
            slope.scatter_add_(1, target, -portion)
            if to_hidden is not None:
                to_hidden[part] = slope.to(weight.dtype) @ weight
            if to_weight is not None:
                to_weight += slope.to(hidden.dtype).T @ hidden[part]
            if to_bias is not None:
                to_bias += slope.sum(dim=0)
        context.save_for_backward(
            to_hidden,
            None if to_weight is None else to_weight.to(weight.dtype),
            None if to_bias is None or bias is None else to_bias.to(bias.dtype),
        )
        return total

    @staticmethod
    def backward(context: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients = [
            None if gradient is None else gradient * upstream[0].to(gradient.dtype)
            for gradient in context.saved_tensors
        ]
        return (*gradients, None, None, None)
