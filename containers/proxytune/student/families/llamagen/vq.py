"""The VQ-16 picture tokenizer: official key names and numbers, widths configurable."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proxytune.student.codebook import nearest
from proxytune.student.families.llamagen.config import VQConfig
from proxytune.student.families.llamagen.vq_layers import Decoder, Encoder

# Length of the official usage buffer. It plays no part in encoding, but strict loading asks for it.
_USAGE_LENGTH = 65536


class Quantizer(nn.Module):
    """Nearest of a set of unit vectors."""

    codebook_used: Tensor

    def __init__(self, config: VQConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.codebook_size, config.codebook_embed_dim)
        nn.init.uniform_(self.embedding.weight, -1 / config.codebook_size, 1 / config.codebook_size)
        self.register_buffer("codebook_used", torch.zeros(_USAGE_LENGTH))

    def codes(self) -> Tensor:
        """Return the (codebook_size, codebook_embed_dim) codes, each of length one."""
        return F.normalize(self.embedding.weight, dim=-1)

    def nearest(self, latents: Tensor) -> Tensor:
        """Return the ids of the codes nearest to normalised latents.

        Args:
            latents: (N, codebook_embed_dim).

        Returns:
            (N,) int64.
        """
        return nearest(F.normalize(latents, dim=-1), self.codes())


class VQTokenizer(nn.Module):
    """Pictures to code ids and back. Keep it in float32: the official sampling does."""

    def __init__(self, config: VQConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quantize = Quantizer(config)
        self.quant_conv = nn.Conv2d(config.z_channels, config.codebook_embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.codebook_embed_dim, config.z_channels, 1)

    @property
    def stride(self) -> int:
        """Pixels along one side of a token."""
        return self.config.stride

    def latents(self, images: Tensor) -> Tensor:
        """Encode pictures up to, but not including, the choice of codes.

        Args:
            images: (B, 3, H, W) in [-1, 1], H and W multiples of `stride`.

        Returns:
            (B, codebook_embed_dim, H / stride, W / stride).

        Raises:
            ValueError: another shape.
        """
        height, width = images.shape[-2:]
        if images.dim() != 4 or images.shape[1] != 3 or height % self.stride or width % self.stride:
            raise ValueError(
                f"pictures of shape {tuple(images.shape)} given; allowed: (B, 3, H, W), H and W multiples of "
                f"{self.stride}. Resize or crop them first."
            )
        return self.quant_conv(self.encoder(images))

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Encode pictures (see `latents`) to (B, h * w) int64 code ids, row by row."""
        latents = self.latents(images)
        flat = latents.permute(0, 2, 3, 1).reshape(-1, self.config.codebook_embed_dim)
        return self.quantize.nearest(flat).view(len(images), -1)

    @torch.no_grad()
    def decode(self, ids: Tensor, grid: tuple[int, int] | None = None) -> Tensor:
        """Decode code ids to pictures.

        Args:
            ids: (B, h * w) integers, row by row.
            grid: (h, w); a square when absent.

        Returns:
            (B, 3, h * stride, w * stride), about [-1, 1]: clamp before making pixels of it.

        Raises:
            ValueError: as many ids as no such grid holds.
        """
        side = math.isqrt(ids.shape[1])
        height, width = grid or (side, side)
        if height * width != ids.shape[1]:
            raise ValueError(
                f"{ids.shape[1]} ids a picture given; allowed: {height} x {width}. Pass the right grid."
            )
        rows = F.embedding(ids.long(), self.quantize.codes())
        latents = rows.view(len(ids), height, width, -1).permute(0, 3, 1, 2).contiguous()
        return self.decoder(self.post_quant_conv(latents))
