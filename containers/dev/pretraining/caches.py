"""Latents and codes of the whole corpus, computed once and kept in files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dev.pretraining.corpus import Corpus
from dev.pretraining.precision import autocast
from proxytune.student.families.llamagen import VQTokenizer

_AT_ONCE = 200


def latents_of(corpus: Corpus, vae: Any, file: Path, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Means and deviations of all pictures' latents, standardised channel by channel.

    Returns:
        (N, 2, C, h, w) float16; mean and deviation of each channel, (C,), which the VAE's config keeps.
    """

    def encode(pictures: Tensor) -> Tensor:
        spread = vae.encode(pictures).latent_dist
        return torch.stack([spread.mean, spread.std], dim=1).half()

    raw = _kept(file, corpus, encode, dtype)
    means = raw[: corpus.training, 0].float()
    shift, scale = means.mean(dim=(0, 2, 3)), means.std(dim=(0, 2, 3))
    broad = (slice(None), None, None)
    standard = torch.stack(
        [
            ((raw[:, 0].float() - shift[broad]) / scale[broad]).half(),
            (raw[:, 1].float() / scale[broad]).half(),
        ],
        dim=1,
    )
    return standard, shift, scale


def tokens_of(corpus: Corpus, vq: VQTokenizer, file: Path, dtype: torch.dtype) -> Tensor:
    """Codes of all pictures: (N, 64) int16."""
    return _kept(file, corpus, lambda pictures: vq.encode(pictures).to(torch.int16), dtype)


@torch.no_grad()
def _kept(file: Path, corpus: Corpus, encode: Callable[[Tensor], Tensor], dtype: torch.dtype) -> Tensor:
    if not file.exists():
        with autocast(dtype):
            parts = [
                encode(corpus.pictures(numbers)) for numbers in torch.arange(len(corpus)).split(_AT_ONCE)
            ]
        scratch = file.with_suffix(f".{os.getpid()}.tmp")
        with scratch.open("wb") as stream:
            np.save(stream, torch.cat(parts).numpy())
        scratch.replace(file)
    return torch.from_numpy(np.load(file))
