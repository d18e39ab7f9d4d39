"""bfloat16 where the processor computes in it; where it only imitates it, it is slower than float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def compute_type() -> torch.dtype:
    """bfloat16 on processors with AVX-512 BF16 or AMX, else float32."""
    # torch has no public question for it yet.
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


def autocast(dtype: torch.dtype) -> AbstractContextManager[None]:
    """Compute matrix products and convolutions in `dtype`; float32 changes nothing."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast("cpu", dtype)
