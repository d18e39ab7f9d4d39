"""The codebook of an image tokenizer, and the code that is nearest to a latent."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proxytune.contract.finite import finite


class Codebook(nn.Module):
    """A set of vectors, under the official key names.

    Args:
        size: how many there are. dim: their width.
        unit_length: compare directions only: codes and latents are scaled to length one.
    """

    def __init__(self, size: int, dim: int, *, unit_length: bool) -> None:
        super().__init__()
        self.unit_length = unit_length
        self.embedding = nn.Embedding(size, dim)
        nn.init.uniform_(self.embedding.weight, -1 / size, 1 / size)

    def codes(self) -> Tensor:
        """Return the (size, dim) codes."""
        return self._scaled(self.embedding.weight)

    def nearest(self, latents: Tensor) -> Tensor:
        """Return the indices (N,) int64 of the codes nearest to latents (N, dim)."""
        return nearest(self._scaled(latents), self.codes())

    def _scaled(self, vectors: Tensor) -> Tensor:
        return F.normalize(vectors, dim=-1) if self.unit_length else vectors


def nearest(latents: Tensor, codes: Tensor) -> Tensor:
    """Return the indices of the codes nearest to latents.

    The squared distance is written out term by term as in the official codes, which all do it so: of two
    codes that lie closer together than float32 can tell, rounding decides, and must decide alike.

    Args:
        latents: (N, dim). codes: (V, dim). Both of length one where the tokenizer compares directions.

    Returns:
        (N,) int64.

    Raises:
        ProxytuneError: ModelNotFinite; of such latents the nearest code means nothing.
    """
    finite(latents, "encoder of the student's image tokenizer", f"{len(latents)} tokens of images")
    squares = latents.square().sum(dim=1, keepdim=True) + codes.square().sum(dim=1)
    return torch.argmin(squares - 2 * torch.einsum("nd,dk->nk", latents, codes.T), dim=1)
