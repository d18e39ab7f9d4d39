"""Tiny models: the real classes at the smallest useful size, with seeded random weights.

Tests and, until trained ones exist, the demo run on them. They show nothing sensible; everything else about
them is real: files, classes, tokenizers, training, sampling. Made byte-identical at every call, offline.

    MODELS       catalogue id -> function that writes the model into a folder
    tokenizers   tokenizers made in code: byte-level CLIP, character-level T5
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

# Catalogue id -> module:function; imported only when that model is made.
MODELS = {
    "sdxl-tiny": "proxytune.tiny.sdxl:write",
    "sd3-medium-tiny": "proxytune.tiny.sd3:write_medium",
    "sd3.5-large-tiny": "proxytune.tiny.sd3:write_large",
    "flux-dev-tiny": "proxytune.tiny.flux:write",
    "llamagen-tiny": "proxytune.tiny.llamagen:write",
    "lumina-tiny": "proxytune.tiny.lumina:write",
    "janus-pro-1b-tiny": "proxytune.tiny.janus:write",
    "clip-tiny": "proxytune.tiny.encoders:write_clip",
    "dino-tiny": "proxytune.tiny.encoders:write_dino",
}


def write(model: str, folder: Path) -> None:
    """Write the tiny model of this catalogue id into `folder`, whole or not at all.

    What the folder held before is replaced.

    Raises:
        KeyError: for an id that is not in MODELS.
    """
    module, _, name = MODELS[model].partition(":")
    writer: Callable[[Path], None] = getattr(import_module(module), name)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    writer(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
