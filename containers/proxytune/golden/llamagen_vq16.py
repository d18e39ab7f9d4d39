"""Checks of the kind `llamagen-vq16`: latents, ids, decoded pictures of the VQ tokenizer."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from proxytune.golden.findings import Finding, by_tag, equal, near, same_names
from proxytune.golden.formula import fill_model
from proxytune.student.llamagen.config import VQConfig
from proxytune.student.llamagen.vq import VQTokenizer

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
    """Return the sizes of a golden tokenizer: its `config`, and for what that leaves out VQ-16's sizes."""
    return VQConfig.from_dict(facts.get("config", {}))


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
