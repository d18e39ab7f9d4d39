"""bfloat16 where the processor computes in it; where it only imitates it, it is slower than float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from proxytune.training.step_precision import native_bfloat16


def compute_type() -> torch.dtype:
    """bfloat16 on the processors on which the product's trainings compute in it, else float32."""
    return torch.bfloat16 if native_bfloat16(torch.device("cpu")) else torch.float32


def autocast(dtype: torch.dtype) -> AbstractContextManager[None]:
    """Compute matrix products and convolutions in `dtype`; float32 changes nothing."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast("cpu", dtype)
