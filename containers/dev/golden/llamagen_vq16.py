"""Checks of the kind `llamagen-vq16`: latents, ids, decoded pictures of the VQ tokenizer."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

from dev.golden.findings import Finding
from dev.golden.formula import fill_model
from dev.golden.image_tokenizers import check_image_tokenizer, tokenizer_scales
from proxytune.student.families.llamagen.config import VQConfig
from proxytune.student.families.llamagen.vq import VQTokenizer

_USED = "quantize.codebook_used"


def config_of(facts: dict[str, Any]) -> VQConfig:
    """Return the sizes of a golden tokenizer: its `config`, else those of its parameters' shapes.

    What neither determines is as in VQ-16.
    """
    if "config" in facts or "parameters" not in facts:
        return VQConfig.from_dict(facts.get("config", {}))
    shapes: dict[str, list[int]] = facts["parameters"]
    width = shapes["encoder.conv_in.weight"][0]
    last_convolution = re.compile(r"encoder\.conv_blocks\.(\d+)\.res\.(\d+)\.conv2\.weight")
    found = [(match, shapes[name][0]) for name in shapes if (match := last_convolution.fullmatch(name))]
    widths = {int(match[1]): channels for match, channels in found}
    codes = shapes["quantize.embedding.weight"]
    return VQConfig(
        codebook_size=codes[0],
        codebook_embed_dim=codes[1],
        z_channels=shapes["encoder.conv_out.weight"][0],
        ch=width,
        ch_mult=tuple(widths[level] // width for level in sorted(widths)),
        num_res_blocks=1 + max(int(match[2]) for match, _ in found),
    )


def golden_vq(config: VQConfig) -> VQTokenizer:
    """Build the golden tokenizer of a config: weights by formula, usage buffer zero, eval mode."""
    tokenizer = VQTokenizer(config).eval()
    fill_model(tokenizer, tokenizer_scales(1.2), keep=frozenset({_USED}))
    return tokenizer


def check_llamagen_vq16(facts: dict[str, Any], tensors: dict[str, Tensor]) -> list[Finding]:
    """Check a `llamagen-vq16` file; see `check_image_tokenizer`."""
    return check_image_tokenizer(golden_vq(config_of(facts)), facts, tensors)
