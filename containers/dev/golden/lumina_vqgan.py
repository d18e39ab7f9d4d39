"""Checks of the kind `lumina-vqgan`: latents, codes, decoded pictures of the VQGAN, and the crop sizes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from dev.golden.findings import Finding, by_tag, equal, near, same_names
from dev.golden.formula import fill_apart, fill_model
from dev.golden.lumina_crops import best_crop, crop_sizes
from proxytune.student.families.lumina.vq import VQGAN
from proxytune.student.families.lumina.vq_config import VQGANConfig

_PARTS = frozenset({"image", "latent", "ids", "decoded"})


def scales(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return the (scale, offset) of a tokenizer tensor's formula."""
    if "norm" in name and name.endswith("weight"):
        return 0.1, 1.0
    if name.endswith("bias"):
        return 0.05, 0.0
    if "embedding" in name:
        return 1.0, 0.0
    return 1.7 / math.sqrt(math.prod(shape[1:])), 0.0


def golden_vqgan(config: VQGANConfig) -> VQGAN:
    """Build the golden tokenizer of a config: weights by formula, eval mode."""
    tokenizer = VQGAN(config).eval()
    fill_model(tokenizer, scales, formula=fill_apart)
    return tokenizer


def check_lumina_vqgan(facts: dict[str, Any], tensors: dict[str, Tensor]) -> list[Finding]:
    """Check every tag of a `lumina-vqgan` file, and its crops.

    Raises:
        ValueError: a tag without a picture, or a tensor that no check reads.
    """
    tokenizer = golden_vqgan(VQGANConfig.from_dict(facts["config"]))
    findings = _check_crops(facts.get("crops", {}))
    if "parameters" in facts:
        ours = {name: list(tensor.shape) for name, tensor in tokenizer.state_dict().items()}
        findings.append(same_names("parameters", ours, facts["parameters"]))
    for tag, parts in by_tag(tensors).items():
        if "image" not in parts or parts.keys() - _PARTS:
            raise ValueError(f"{tag} holds {sorted(parts)}; allowed: image, and any of latent, ids, decoded")
        findings += _check_tag(tag, tokenizer, parts)
    return findings


@torch.no_grad()
def _check_tag(tag: str, tokenizer: VQGAN, parts: dict[str, Tensor]) -> list[Finding]:
    image = parts["image"]
    grid = (image.shape[2] // tokenizer.stride, image.shape[3] // tokenizer.stride)
    findings = []
    if "latent" in parts:
        findings.append(near(f"{tag}.latent", tokenizer.latents(image), parts["latent"]))
    codes = tokenizer.encode(image)
    if "ids" in parts:
        findings.append(equal(f"{tag}.ids", codes, parts["ids"].reshape(len(image), -1)))
    if "decoded" in parts:
        # From the golden ids where there are any, so that one wrong id is not reported twice.
        given = parts.get("ids", codes).reshape(len(image), -1)
        findings.append(near(f"{tag}.decoded", tokenizer.decode(given, grid), parts["decoded"]))
    return findings


def _check_crops(crops: dict[str, Any]) -> list[Finding]:
    """The error is how many sizes, or choices among them, are other ones."""
    findings = []
    for size, golden in crops.items():
        sizes = [list(crop) for crop in crop_sizes(int(size))]
        wrong = sum(one != other for one, other in zip(sizes, golden["sizes"], strict=False))
        wrong += abs(len(sizes) - len(golden["sizes"]))
        findings.append(Finding(f"crops.{size}.sizes", float(wrong), 0.0))
        chosen = {name: list(best_crop(int(size), *map(int, name.split("x")))) for name in golden["best"]}
        wrong = sum(chosen[name] != crop for name, crop in golden["best"].items())
        findings.append(Finding(f"crops.{size}.best", float(wrong), 0.0))
    return findings
