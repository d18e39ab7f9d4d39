"""The VQ-16 image tokenizer: official key names and numbers, widths configurable."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from proxytune.student.codebook import Codebook
from proxytune.student.families.llamagen.config import VQConfig
from proxytune.student.vq import ImageTokenizer
from proxytune.student.vq_layers import AttentionBlock, Downsample, ResBlock, Upsample, group_norm, swish

# Length of the official usage buffer. It plays no part in encoding, but strict loading asks for it.
_USAGE_LENGTH = 65536


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
    """Images to (B, z_channels, H / stride, W / stride)."""

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
        self.norm_out = group_norm(before, config.norm_groups)
        self.conv_out = nn.Conv2d(before, config.z_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Encode (B, 3, H, W)."""
        x = self.conv_in(images)
        for block in (*self.conv_blocks, *self.mid):
            x = block(x)
        return self.conv_out(swish(self.norm_out(x)))


class Decoder(nn.Module):
    """(B, z_channels, h, w) to images; one residual block more per level than the encoder."""

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
        self.norm_out = group_norm(before, config.norm_groups)
        self.conv_out = nn.Conv2d(before, 3, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        """Decode to (B, 3, H, W)."""
        x = self.conv_in(latents)
        for block in (*self.mid, *self.conv_blocks):
            x = block(x)
        return self.conv_out(swish(self.norm_out(x)))


class Quantizer(Codebook):
    """A codebook of unit vectors."""

    codebook_used: Tensor

    def __init__(self, config: VQConfig) -> None:
        super().__init__(*config.codebook_shape, unit_length=True)
        self.register_buffer("codebook_used", torch.zeros(_USAGE_LENGTH))


class VQTokenizer(ImageTokenizer):
    """LlamaGen's tokenizer."""

    quantize: Quantizer

    def __init__(self, config: VQConfig) -> None:
        super().__init__(config, Encoder(config), Decoder(config), Quantizer(config))
        self.config = config
