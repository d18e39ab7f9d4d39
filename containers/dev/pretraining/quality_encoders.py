"""Quality of the segmenter and of the encoder of SigLIP 2's classes, recomputed from their folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from dev.pretraining.corpus import Corpus
from dev.pretraining.segmenter import SegmenterTrainable
from dev.pretraining.siglip import SiglipTrainable


@torch.no_grad()
def measure_encoders(models: Path, corpus: Corpus) -> dict[str, float]:
    """Figures of both, named after the part, as their trainings evaluate them.

    Args:
        models: holds clipseg-miniature and siglip-miniature.
        corpus: with held-out images alone, as `draw_held_out` renders it.

    Returns:
        segmenter_overlap and segmenter_softened_overlap: mean intersection over union with the true masks;
        segmenter_empty_when_absent: share of wrong prompts that find nothing; segmenter_category: share of
        images whose category CLIPSeg's CLIP names; siglip_retrieval: how often the nearest of up to a hundred
        subjects of a category, by patches inside the mask, is the same; siglip_category, siglip_context: by
        the nearest caption; siglip_context_around: by the patches outside the mask.
    """
    from transformers import CLIPSegForImageSegmentation, Siglip2Model

    parts: tuple[tuple[str, Any, Any, str], ...] = (
        ("segmenter", SegmenterTrainable(corpus, 2), CLIPSegForImageSegmentation, "clipseg-miniature"),
        ("siglip", SiglipTrainable(corpus, 2), Siglip2Model, "siglip-miniature"),
    )
    figures: dict[str, float] = {}
    for name, trainable, kind, folder in parts:
        module: nn.Module = kind.from_pretrained(models / folder, dtype=torch.float32, local_files_only=True)
        figures |= {f"{name}_{what}": value for what, value in trainable.evaluate(module.eval()).items()}
    return figures
