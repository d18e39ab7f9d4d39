"""Operations on the meta device that keep for the backward pass what they keep on a GPU.

There torch would split attention, dropout and the norm by the root mean square into plain operations, as on a
CPU. On a GPU each is one kernel, whose tensors are these: attention keeps queries, keys, values, its result
and a number a row; dropout a byte a number; the norm its input and a number a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


@contextmanager
def gpu_kernels() -> Iterator[None]:
    """Replace the three operations while inside; a backward pass that recomputes must be inside too."""
    before = {name: getattr(F, name) for name in REPLACED}
    try:
        for name, replacement in REPLACED.items():
            setattr(F, name, replacement)
        yield
    finally:
        for name, function in before.items():
            setattr(F, name, function)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    assert not enable_gqa, "no model of the catalogue needs it"
    assert dropout_p == 0.0, "no recipe of the catalogue needs it"
    operations = torch.ops.aten
    if attn_mask is None:
        # Flash attention takes any causal or complete attention of these models.
        return operations._scaled_dot_product_flash_attention(
            query, key, value, dropout_p, is_causal, scale=scale
        )[0]
    if attn_mask.dtype == torch.bool:
        # As torch does before its kernels, in every layer.
        attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype)
    bias = attn_mask.expand(*query.shape[:-1], key.shape[-2])
    return operations._scaled_dot_product_efficient_attention(query, key, value, bias, True, scale=scale)[0]


def _dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:  # noqa: A002 - torch's own name of it
    assert not inplace, "no model of the catalogue needs it"
    return torch.native_dropout(input, p, training)[0] if training and p > 0 else input


class _RootMeanSquareNorm(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor, weight: Tensor | None) -> Tensor:
        context.save_for_backward(values, weight, values.new_empty(values.shape[:-1], dtype=torch.float32))
        return torch.empty_like(values)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return torch.empty_like(gradients[0]), None


def _rms_norm(
    input: Tensor,  # noqa: A002 - torch's own name of it
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    del normalized_shape, eps
    # torch declares `apply` without types.
    return _RootMeanSquareNorm.apply(input, weight)  # type: ignore[no-untyped-call,no-any-return]


REPLACED: dict[str, Callable[..., Any]] = {
    "scaled_dot_product_attention": _attention,
    "dropout": _dropout,
    "rms_norm": _rms_norm,
}
