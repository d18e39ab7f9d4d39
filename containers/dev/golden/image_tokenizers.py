"""Check of a picture tokenizer with weights by formula: latents, ids, decoded pictures."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from dev.golden.findings import Finding, by_tag, equal, near, parameters
from dev.golden.formula import Scales
from proxytune.student.vq import ImageTokenizer

_PARTS = frozenset({"image", "latent", "ids", "decoded"})


def tokenizer_scales(gain: float) -> Scales:
    """Return the formula's (scale, offset) of each tensor of a tokenizer.

    Args:
        gain: of the convolutions, relative to the square root of their inputs.
    """

    def scales(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
        if "norm" in name and name.endswith("weight"):
            return 0.1, 1.0
        if name.endswith("bias"):
            return 0.05, 0.0
        if "embedding" in name:
            return 1.0, 0.0
        return gain / math.sqrt(math.prod(shape[1:])), 0.0

    return scales


def check_image_tokenizer(
    tokenizer: ImageTokenizer, facts: dict[str, Any], tensors: dict[str, Tensor]
) -> list[Finding]:
    """Check the parameters of a tokenizer and every tag of its file.

    Raises:
        ValueError: a tag without a picture, or a tensor that no check reads.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in tokenizer.state_dict().items()}
    findings = parameters("parameters", shapes, facts)
    for tag, parts in by_tag(tensors).items():
        if "image" not in parts or parts.keys() - _PARTS:
            raise ValueError(f"{tag} holds {sorted(parts)}; allowed: image, and any of latent, ids, decoded")
        findings += _check_tag(tag, tokenizer, parts)
    return findings


@torch.no_grad()
def _check_tag(tag: str, tokenizer: ImageTokenizer, parts: dict[str, Tensor]) -> list[Finding]:
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
