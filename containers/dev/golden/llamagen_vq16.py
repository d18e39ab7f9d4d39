"""Checks of the kind `llamagen-vq16`: latents, ids, decoded pictures of the VQ tokenizer."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor

from dev.golden.findings import Finding, by_tag, equal, near, same_names
from dev.golden.formula import fill_model
from proxytune.student.families.llamagen.config import VQConfig
from proxytune.student.families.llamagen.vq import VQTokenizer

_PARTS = frozenset({"image", "latent", "ids", "decoded"})
_USED = "quantize.codebook_used"


def scales(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return the (scale, offset) of a tokenizer tensor's formula."""
    if "norm" in name and name.endswith("weight"):
        return 0.1, 1.0
    if name.endswith("bias"):
        return 0.05, 0.0
    if "embedding" in name:
        return 1.0, 0.0
    return 1.2 / math.sqrt(math.prod(shape[1:])), 0.0


def config_of(facts: dict[str, Any]) -> VQConfig:
    """Return the sizes of a golden tokenizer: its `config`, else those that its parameters' shapes tell.

    What neither tells is as in VQ-16.
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
    fill_model(tokenizer, scales, keep=frozenset({_USED}))
    return tokenizer


def check_llamagen_vq16(facts: dict[str, Any], tensors: dict[str, Tensor]) -> list[Finding]:
    """Check every tag of a `llamagen-vq16` file.

    Raises:
        ValueError: a tag without a picture, or a tensor that no check reads.
    """
    tokenizer = golden_vq(config_of(facts))
    findings = []
    if "parameters" in facts:
        ours = {name: list(tensor.shape) for name, tensor in tokenizer.state_dict().items()}
        findings.append(same_names("parameters", ours, facts["parameters"]))
    for tag, parts in by_tag(tensors).items():
        if "image" not in parts or parts.keys() - _PARTS:
            raise ValueError(f"{tag} holds {sorted(parts)}; allowed: image, and any of latent, ids, decoded")
        findings += _check_tag(tag, tokenizer, parts)
    return findings


@torch.no_grad()
def _check_tag(tag: str, tokenizer: VQTokenizer, parts: dict[str, Tensor]) -> list[Finding]:
    image = parts["image"]
    findings = []
    if "latent" in parts:
        findings.append(near(f"{tag}.latent", tokenizer.latents(image), parts["latent"]))
    ids = tokenizer.encode(image)
    if "ids" in parts:
        findings.append(equal(f"{tag}.ids", ids, parts["ids"].reshape(len(image), -1)))
    if "decoded" in parts:
        # From the golden ids where there are any, so that one wrong id is not reported twice.
        given = parts.get("ids", ids).reshape(len(image), -1)
        grid = (image.shape[2] // tokenizer.stride, image.shape[3] // tokenizer.stride)
        findings.append(near(f"{tag}.decoded", tokenizer.decode(given, grid), parts["decoded"]))
    return findings
