"""Which code of a codebook is nearest to a latent, for every picture tokenizer."""

from __future__ import annotations

import torch
from torch import Tensor

from proxytune.contract.finite import finite


def nearest(latents: Tensor, codes: Tensor) -> Tensor:
    """Return the numbers of the codes nearest to latents.

    The squared distance is written out term by term as in the official codes, which all do it so: of two
    codes that lie closer together than float32 can tell, rounding decides, and must decide alike.

    Args:
        latents: (N, dim). codes: (V, dim). Both of length one where the tokenizer compares directions.

    Returns:
        (N,) int64.

    Raises:
        ProxytuneError: ModelNotFinite; of such latents the nearest code means nothing.
    """
    finite(latents, "encoder of the student's picture tokenizer", f"{len(latents)} codes of pictures")
    squares = latents.square().sum(dim=1, keepdim=True) + codes.square().sum(dim=1)
    return torch.argmin(squares - 2 * torch.einsum("nd,dk->nk", latents, codes.T), dim=1)
