"""Chameleon's picture tokenizer, encoder and decoder: official key names and numbers, widths configurable.

transformers has its encoder only. The convolutions are those of LlamaGen's tokenizer: both descend from
taming-transformers and differ in how they are named and put together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proxytune.student.codebook import nearest
from proxytune.student.families.llamagen.vq_layers import (
    AttentionBlock,
    Downsample,
    ResBlock,
    Upsample,
    swish,
)
from proxytune.student.families.lumina.vq_config import VQGANConfig


def _norm(channels: int, groups: int) -> nn.GroupNorm:
    return nn.GroupNorm(groups, channels, eps=1e-6)


class _Level(nn.Module):
    """One resolution: residual blocks, then a change of size."""

    def __init__(self, widths: list[int], groups: int, resize: str | None) -> None:
        super().__init__()
        pairs = zip(widths[:-1], widths[1:], strict=True)
        self.block = nn.ModuleList(ResBlock(before, after, groups) for before, after in pairs)
        self.downsample = Downsample(widths[-1]) if resize == "down" else None
        self.upsample = Upsample(widths[-1]) if resize == "up" else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, widths[0], H, W) to the last width, at half, twice or the same size."""
        for block in self.block:
            x = block(x)
        for resize in (self.downsample, self.upsample):
            x = x if resize is None else resize(x)
        return x


class _Middle(nn.Module):
    """The lowest resolution, with attention over the whole picture."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.block_1 = ResBlock(width, width, groups)
        self.attn_1 = AttentionBlock(width, groups)
        self.block_2 = ResBlock(width, width, groups)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W) to the same shape."""
        return self.block_2(self.attn_1(self.block_1(x)))


class Encoder(nn.Module):
    """Pictures to (B, z_channels, H / stride, W / stride)."""

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        groups, before = config.norm_groups, config.ch
        self.conv_in = nn.Conv2d(3, config.ch, 3, padding=1)
        self.down = nn.ModuleList()
        for level, factor in enumerate(config.ch_mult):
            width = config.ch * factor
            resize = "down" if level + 1 < len(config.ch_mult) else None
            self.down.append(_Level([before] + [width] * config.num_res_blocks, groups, resize))
            before = width
        self.mid = _Middle(before, groups)
        self.norm_out = _norm(before, groups)
        self.conv_out = nn.Conv2d(before, config.z_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Encode (B, 3, H, W)."""
        x = self.conv_in(images)
        for level in self.down:
            x = level(x)
        return self.conv_out(swish(self.norm_out(self.mid(x))))


class Decoder(nn.Module):
    """(B, z_channels, h, w) to pictures; one residual block more a level than the encoder.

    Its levels are numbered as the encoder's, so they are gone through from the last to the first.
    """

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        groups, before = config.norm_groups, config.ch * config.ch_mult[-1]
        self.conv_in = nn.Conv2d(config.z_channels, before, 3, padding=1)
        self.mid = _Middle(before, groups)
        levels: list[nn.Module] = []
        for level, factor in reversed(list(enumerate(config.ch_mult))):
            width = config.ch * factor
            resize = "up" if level > 0 else None
            levels.append(_Level([before] + [width] * (config.num_res_blocks + 1), groups, resize))
            before = width
        self.up = nn.ModuleList(reversed(levels))
        self.norm_out = _norm(before, groups)
        self.conv_out = nn.Conv2d(before, 3, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        """Decode to (B, 3, H, W)."""
        x = self.mid(self.conv_in(latents))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(swish(self.norm_out(x)))


class Quantizer(nn.Module):
    """Nearest of a set of vectors, which, unlike LlamaGen's, keep their lengths."""

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.n_embed, config.embed_dim)
        nn.init.uniform_(self.embedding.weight, -1 / config.n_embed, 1 / config.n_embed)

    def nearest(self, latents: Tensor) -> Tensor:
        """The codes (N,) int64 nearest to latents (N, embed_dim)."""
        return nearest(latents, self.embedding.weight)


class VQGAN(nn.Module):
    """Pictures to codes and back. Keep it in float32."""

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quantize = Quantizer(config)
        self.quant_conv = nn.Conv2d(config.z_channels, config.embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.z_channels, 1)

    @property
    def stride(self) -> int:
        """Pixels along one side of a code."""
        return self.config.stride

    def latents(self, images: Tensor) -> Tensor:
        """Encode pictures up to, but not including, the choice of codes.

        Args:
            images: (B, 3, H, W) in [-1, 1], H and W multiples of `stride`.

        Returns:
            (B, embed_dim, H / stride, W / stride).

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
        """Encode pictures (see `latents`) to (B, h * w) int64 codes, row by row."""
        latents = self.latents(images)
        flat = latents.permute(0, 2, 3, 1).reshape(-1, self.config.embed_dim)
        return self.quantize.nearest(flat).view(len(images), -1)

    @torch.no_grad()
    def decode(self, codes: Tensor, grid: tuple[int, int]) -> Tensor:
        """Decode codes to pictures.

        Args:
            codes: (B, h * w) integers, row by row.
            grid: (h, w).

        Returns:
            (B, 3, h * stride, w * stride), about [-1, 1]: clamp before making pixels of it.
        """
        vectors = F.embedding(codes.long(), self.quantize.embedding.weight)
        latents = vectors.view(len(codes), *grid, -1).permute(0, 3, 1, 2).contiguous()
        return self.decoder(self.post_quant_conv(latents))
