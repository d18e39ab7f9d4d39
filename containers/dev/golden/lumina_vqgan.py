"""Checks of the kind `lumina-vqgan`: latents, codes, decoded pictures of the VQGAN, and the crop sizes."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dev.golden.findings import Finding
from dev.golden.formula import fill_apart, fill_model
from dev.golden.image_tokenizers import check_image_tokenizer, tokenizer_scales
from dev.golden.lumina_crops import best_crop, crop_sizes
from proxytune.student.families.lumina.vq import VQGAN
from proxytune.student.families.lumina.vq_config import VQGANConfig


def golden_vqgan(config: VQGANConfig) -> VQGAN:
    """Build the golden tokenizer of a config: weights by formula, eval mode."""
    tokenizer = VQGAN(config).eval()
    fill_model(tokenizer, tokenizer_scales(1.7), formula=fill_apart)
    return tokenizer


def check_lumina_vqgan(facts: dict[str, Any], tensors: dict[str, Tensor]) -> list[Finding]:
    """Check a `lumina-vqgan` file, and its crops; see `check_image_tokenizer`."""
    tokenizer = golden_vqgan(VQGANConfig.from_dict(facts["config"]))
    return [*_check_crops(facts.get("crops", {})), *check_image_tokenizer(tokenizer, facts, tensors)]


def _check_crops(crops: dict[str, Any]) -> list[Finding]:
    """Compare the sizes, and the choices among them; the error is the number of different ones."""
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
