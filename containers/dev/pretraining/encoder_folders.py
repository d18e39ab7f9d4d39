"""The segmenter and the SigLIP as folders that transformers' own classes and processors load."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from dev.pretraining import segmenter as segmenter_part
from dev.pretraining import siglip as siglip_part
from dev.pretraining.folders import halve
from dev.tiny_models.encoders import IMAGENET_MEAN, IMAGENET_STD
from proxytune.drawn_world.render import SIZE

# Pillow's number of the filter that both checkpoints' processors shrink with.
BILINEAR = 2


def write_segmenter(folder: Path, segmenter: Any) -> None:
    """Write the CLIPSeg without what only its training needed, with what CLIPSegProcessor loads.

    The processor squashes images of any size to a square.
    """
    _save(segmenter, folder, segmenter_part.TRAINING_ONLY)
    segmenter_part.make_tokenizer().save_pretrained(folder)
    facts = {
        "processor_class": "CLIPSegProcessor",
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": SIZE, "width": SIZE},
        **_levels(IMAGENET_MEAN, IMAGENET_STD),
    }
    _write_preprocessor(folder, facts)
    halve(folder)


def write_siglip(folder: Path, siglip: Any) -> None:
    """Write the SigLIP without what only its training needed, with what Siglip2Processor loads.

    An image keeps its shape and is scaled to at most as many patches as a square image of the domain has.
    """
    _save(siglip, folder, siglip_part.TRAINING_ONLY)
    siglip_part.make_tokenizer().save_pretrained(folder)
    half = [0.5, 0.5, 0.5]
    facts = {
        "processor_class": "Siglip2Processor",
        "image_processor_type": "Siglip2ImageProcessor",
        "patch_size": siglip_part.PATCH,
        "max_num_patches": siglip_part.SIDE**2,
        **_levels(half, half),
    }
    _write_preprocessor(folder, facts)
    halve(folder)


def _save(model: Any, folder: Path, training_only: Collection[str]) -> None:
    weights = {
        name: value for name, value in model.state_dict().items() if name.split(".")[0] not in training_only
    }
    model.eval().save_pretrained(folder, state_dict=weights, safe_serialization=True)


def _levels(mean: list[float], std: list[float]) -> dict[str, Any]:
    return {
        "do_resize": True,
        "resample": BILINEAR,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": mean,
        "image_std": std,
    }


def _write_preprocessor(folder: Path, facts: dict[str, Any]) -> None:
    (folder / "preprocessor_config.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
