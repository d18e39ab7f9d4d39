"""The convolutions of the VQ tokenizer: residual blocks, attention, encoder, decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proxytune.student.families.llamagen.config import VQConfig


def _norm(channels: int, groups: int) -> nn.GroupNorm:
    return nn.GroupNorm(groups, channels, eps=1e-6)


def swish(x: Tensor) -> Tensor:
    """x sigmoid(x), written out: `F.silu` rounds otherwise than the official code."""
    return x * torch.sigmoid(x)


class ResBlock(nn.Module):
    """Norm, swish, convolution, twice, around a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, groups: int) -> None:
        super().__init__()
        self.norm1 = _norm(channels_in, groups)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.norm2 = _norm(channels_out, groups)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        # Present only where the width changes: the official checkpoints have no key for it elsewhere.
        self.nin_shortcut = nn.Conv2d(channels_in, channels_out, 1) if channels_in != channels_out else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels_in, H, W) to (B, channels_out, H, W)."""
        hidden = self.conv1(swish(self.norm1(x)))
        hidden = self.conv2(swish(self.norm2(hidden)))
        return hidden + (x if self.nin_shortcut is None else self.nin_shortcut(x))


class AttentionBlock(nn.Module):
    """Single-head attention over all positions, around a shortcut."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = _norm(channels, groups)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        normed = self.norm(x)
        query, key, value = self.q(normed).flatten(2), self.k(normed).flatten(2), self.v(normed).flatten(2)
        weights = torch.bmm(query.transpose(1, 2), key) * x.shape[1] ** -0.5
        mixed = torch.bmm(value, weights.softmax(dim=2).transpose(1, 2))
        return x + self.proj_out(mixed.view_as(x))


class Downsample(nn.Module):
    """Half the size: padded right and below only, then a strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H / 2, W / 2)."""
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Twice the size: nearest neighbour, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, 2H, 2W)."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """One resolution: residual blocks, at the lowest one each with attention, then a change of size."""

    def __init__(self, widths: list[int], groups: int, *, attend: bool, resize: str | None) -> None:
        super().__init__()
        pairs = zip(widths[:-1], widths[1:], strict=True)
        self.res = nn.ModuleList(ResBlock(before, after, groups) for before, after in pairs)
        self.attn = nn.ModuleList(AttentionBlock(width, groups) for width in widths[1:] if attend)
        self.downsample = Downsample(widths[-1]) if resize == "down" else None
        self.upsample = Upsample(widths[-1]) if resize == "up" else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, widths[0], H, W) to the last width, at half, twice or the same size."""
        for index, block in enumerate(self.res):
            x = block(x)
            if len(self.attn) > 0:
                x = self.attn[index](x)
        for resize in (self.downsample, self.upsample):
            x = x if resize is None else resize(x)
        return x


def _middle(width: int, groups: int) -> nn.ModuleList:
    return nn.ModuleList(
        [ResBlock(width, width, groups), AttentionBlock(width, groups), ResBlock(width, width, groups)]
    )


class Encoder(nn.Module):
    """Pictures to (B, z_channels, H / stride, W / stride)."""

    def __init__(self, config: VQConfig) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, config.ch, 3, padding=1)
        levels, before = [], config.ch
        last = len(config.ch_mult) - 1
        for index, factor in enumerate(config.ch_mult):
            width = config.ch * factor
            widths = [before] + [width] * config.num_res_blocks
            resize = "down" if index < last else None
            levels.append(Level(widths, config.norm_groups, attend=index == last, resize=resize))
            before = width
        self.conv_blocks = nn.ModuleList(levels)
        self.mid = _middle(before, config.norm_groups)
        self.norm_out = _norm(before, config.norm_groups)
        self.conv_out = nn.Conv2d(before, config.z_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Encode (B, 3, H, W)."""
        x = self.conv_in(images)
        for block in (*self.conv_blocks, *self.mid):
            x = block(x)
        return self.conv_out(swish(self.norm_out(x)))


class Decoder(nn.Module):
    """(B, z_channels, h, w) to pictures; one residual block more a level than the encoder."""

    def __init__(self, config: VQConfig) -> None:
        super().__init__()
        before = config.ch * config.ch_mult[-1]
        self.conv_in = nn.Conv2d(config.z_channels, before, 3, padding=1)
        self.mid = _middle(before, config.norm_groups)
        levels = []
        for index, factor in reversed(list(enumerate(config.ch_mult))):
            width = config.ch * factor
            widths = [before] + [width] * (config.num_res_blocks + 1)
            resize = "up" if index > 0 else None
            attend = index == len(config.ch_mult) - 1
            levels.append(Level(widths, config.norm_groups, attend=attend, resize=resize))
            before = width
        self.conv_blocks = nn.ModuleList(levels)
        self.norm_out = _norm(before, config.norm_groups)
        self.conv_out = nn.Conv2d(before, 3, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        """Decode to (B, 3, H, W)."""
        x = self.conv_in(latents)
        for block in (*self.mid, *self.conv_blocks):
            x = block(x)
        return self.conv_out(swish(self.norm_out(x)))
