"""Chameleon's image tokenizer, encoder and decoder: official key names and numbers, widths configurable.

transformers has its encoder only. The layers are those of LlamaGen's tokenizer: both descend from
taming-transformers and differ in how they are named and put together.
"""

from __future__ import annotations

from torch import Tensor, nn

from proxytune.student.codebook import Codebook
from proxytune.student.families.lumina.vq_config import VQGANConfig
from proxytune.student.vq import ImageTokenizer
from proxytune.student.vq_layers import AttentionBlock, Downsample, ResBlock, Upsample, group_norm, swish


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
    """The lowest resolution, with attention over the whole image."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.block_1 = ResBlock(width, width, groups)
        self.attn_1 = AttentionBlock(width, groups)
        self.block_2 = ResBlock(width, width, groups)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W) to the same shape."""
        return self.block_2(self.attn_1(self.block_1(x)))


class Encoder(nn.Module):
    """Images to (B, z_channels, H / stride, W / stride)."""

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
        self.norm_out = group_norm(before, groups)
        self.conv_out = nn.Conv2d(before, config.z_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Encode (B, 3, H, W)."""
        x = self.conv_in(images)
        for level in self.down:
            x = level(x)
        return self.conv_out(swish(self.norm_out(self.mid(x))))


class Decoder(nn.Module):
    """(B, z_channels, h, w) to images; one residual block more per level than the encoder.

    Its levels have the encoder's numbers, so they run from the last to the first.
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
        self.norm_out = group_norm(before, groups)
        self.conv_out = nn.Conv2d(before, 3, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        """Decode to (B, 3, H, W)."""
        x = self.mid(self.conv_in(latents))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(swish(self.norm_out(x)))


class VQGAN(ImageTokenizer):
    """Chameleon's tokenizer, whose codes, unlike LlamaGen's, keep their lengths."""

    def __init__(self, config: VQGANConfig) -> None:
        encoder, decoder = Encoder(config), Decoder(config)
        super().__init__(config, encoder, decoder, Codebook(*config.codebook_shape, unit_length=False))
        self.config = config
