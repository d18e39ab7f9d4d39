"""Tiny models: the real classes at the smallest useful size, with seeded random weights.

Tests and, until trained ones exist, the demo run on them. They show nothing sensible; everything else about
them is real: files, classes, tokenizers, training, sampling. Every call writes the same bytes, offline.

    MODELS       catalogue id -> function that writes the model into a folder
    tokenizers   tokenizers made in code: byte-level CLIP, character-level T5
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from proxytune.contract.entry_points import load_entry_point

# Catalogue id -> module:function; imported only when that model is made.
MODELS = {
    "sdxl-tiny": "dev.tiny_models.sdxl:write",
    "sd3-medium-tiny": "dev.tiny_models.sd3:write_medium",
    "sd3.5-large-tiny": "dev.tiny_models.sd3:write_large",
    "flux-dev-tiny": "dev.tiny_models.flux:write",
    "llamagen-tiny": "dev.tiny_models.llamagen:write",
    "lumina-tiny": "dev.tiny_models.lumina:write",
    "janus-pro-1b-tiny": "dev.tiny_models.janus:write",
    "clip-tiny": "dev.tiny_models.encoders:write_clip",
    "dino-tiny": "dev.tiny_models.encoders:write_dino",
    "clipseg-tiny": "dev.tiny_models.encoders:write_clipseg",
    "dreamsim-tiny": "dev.tiny_models.encoders:write_dreamsim",
    "siglip2-tiny": "dev.tiny_models.encoders:write_siglip",
}


def write(model: str, folder: Path) -> None:
    """Write the tiny model of this catalogue id into `folder`, completely or not at all.

    Earlier contents of the folder are replaced.

    Raises:
        KeyError: for an id that is not in MODELS.
    """
    writer: Callable[[Path], None] = load_entry_point(MODELS[model])
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    writer(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
