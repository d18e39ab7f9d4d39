"""Image tokenizers of the VQGAN kind: encoder, codebook, decoder; families differ in sizes and key names."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proxytune.student.codebook import Codebook


@dataclass(frozen=True)
class VQSizes(ABC):
    """The part of a tokenizer's config that all have; the defaults are those of the official tokenizers.

    The stride is 2 ** (levels - 1): five multipliers give 16. Widths must be multiples of `norm_groups`, the
    official 32, which narrower tokenizers lower.
    """

    z_channels: int = 256
    ch: int = 128
    ch_mult: tuple[int, ...] = (1, 1, 2, 2, 4)
    num_res_blocks: int = 2
    norm_groups: int = 32

    def __post_init__(self) -> None:
        """Refuse widths that the norm cannot divide.

        Raises:
            ValueError: naming the widths and what is allowed.
        """
        object.__setattr__(self, "ch_mult", tuple(self.ch_mult))
        uneven = [self.ch * factor for factor in self.ch_mult if self.ch * factor % self.norm_groups]
        if uneven or not self.ch_mult:
            raise ValueError(f"widths {uneven} given; allowed: multiples of norm_groups = {self.norm_groups}")

    @property
    def stride(self) -> int:
        """Pixels along one side of a token."""
        return 2 ** (len(self.ch_mult) - 1)

    @property
    @abstractmethod
    def codebook_shape(self) -> tuple[int, int]:
        """Number of codes and their width."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {**asdict(self), "ch_mult": list(self.ch_mult)}

    @classmethod
    def from_fields(cls, values: Mapping[str, Any]) -> Self:
        """Read a config from its own fields.

        Raises:
            ValueError: an unknown field, or a width that cannot be.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(values.keys() - known)
        if unknown:
            raise ValueError(f"unknown tokenizer fields {unknown}; allowed: {sorted(known)}")
        return cls(**values)


class ImageTokenizer(nn.Module):
    """Images to tokens and back. Keep it in float32: the official sampling does.

    Args:
        encoder: from images (B, 3, H, W) to (B, z_channels, H / stride, W / stride). decoder: the way back.
    """

    encoder: nn.Module
    decoder: nn.Module
    quantize: Codebook
    quant_conv: nn.Conv2d
    post_quant_conv: nn.Conv2d

    def __init__(self, config: VQSizes, encoder: nn.Module, decoder: nn.Module, quantize: Codebook) -> None:
        super().__init__()
        width = config.codebook_shape[1]
        self.encoder = encoder
        self.decoder = decoder
        self.quantize = quantize
        self.quant_conv = nn.Conv2d(config.z_channels, width, 1)
        self.post_quant_conv = nn.Conv2d(width, config.z_channels, 1)
        self.stride = config.stride

    def latents(self, images: Tensor) -> Tensor:
        """Encode images up to, but not including, the choice of codes.

        Args:
            images: (B, 3, H, W) in [-1, 1], H and W multiples of `stride`.

        Returns:
            (B, code width, H / stride, W / stride).

        Raises:
            ValueError: another shape.
        """
        height, width = images.shape[-2:]
        if images.dim() != 4 or images.shape[1] != 3 or height % self.stride or width % self.stride:
            raise ValueError(
                f"images of shape {tuple(images.shape)} given; allowed: (B, 3, H, W), H and W multiples of "
                f"{self.stride}. Resize or crop them first."
            )
        latents: Tensor = self.quant_conv(self.encoder(images))
        return latents

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Encode images (see `latents`) to (B, h * w) int64 tokens, row by row."""
        latents = self.latents(images)
        flat = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
        return self.quantize.nearest(flat).view(len(images), -1)

    @torch.no_grad()
    def decode(self, tokens: Tensor, grid: tuple[int, int] | None = None) -> Tensor:
        """Decode tokens to images.

        Args:
            tokens: (B, h * w) integers, row by row.
            grid: (h, w); a square when absent.

        Returns:
            (B, 3, h * stride, w * stride), about [-1, 1]: clamp before making pixels of it.

        Raises:
            ValueError: a number of tokens that does not fill the grid.
        """
        side = math.isqrt(tokens.shape[1])
        height, width = grid or (side, side)
        if height * width != tokens.shape[1]:
            raise ValueError(
                f"{tokens.shape[1]} ids per image given; allowed: {height} x {width}. Pass the right grid."
            )
        codes = F.embedding(tokens.long(), self.quantize.codes())
        latents = codes.view(len(tokens), height, width, -1).permute(0, 3, 1, 2).contiguous()
        images: Tensor = self.decoder(self.post_quant_conv(latents))
        return images
