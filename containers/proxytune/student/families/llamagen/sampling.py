"""Sampling image tokens, with a random stream for each image; `decoding` has the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from proxytune.student import decoding
from proxytune.student.families.llamagen.decoding import Attended, LlamaGenDecoder
from proxytune.student.families.llamagen.transformer import LlamaGen, trim_caption
from proxytune.student.modules import bare, evaluating
from proxytune.student.packing import packed
from proxytune.student.sampling import SamplingSettings, fill, filtered_probabilities

# Those of the official sample_t2i.py.
DEFAULTS = SamplingSettings(guidance=7.5, top_k=1000)


@torch.no_grad()
def first_step_probabilities(
    model: nn.Module, caption_features: Tensor, mask: Tensor | None, **settings: Any
) -> Tensor:
    """Return the (B, V) distribution of each image's first token; the arguments are `sample_tokens`'."""
    how = replace(DEFAULTS, **settings)
    with evaluating(model):
        decoder = LlamaGenDecoder(
            bare(model, LlamaGen), caption_features, mask, how.guidance, attended="whole"
        )
        logits = decoder.first()
    return filtered_probabilities(logits, temperature=how.temperature, top_k=how.top_k, top_p=how.top_p)


@torch.no_grad()
def sample_tokens(
    model: nn.Module,
    caption_features: Tensor,
    mask: Tensor | None,
    seeds: Sequence[int],
    *,
    trim: bool = True,
    official: bool = False,
    **settings: Any,
) -> Tensor:
    """Sample the tokens of one image per seed, all in one batch.

    Args:
        model: a LlamaGen, also wrapped by peft. Its train or eval mode is as before afterwards.
        caption_features: (1, n, caption_dim) for all images, or (len(seeds), n, caption_dim).
        mask: (1 or len(seeds), n), non-zero for a valid slot; None when all are valid.
        trim: drop caption slots that are padding in every row (exact). False keeps them, so that shapes do
            not depend on the batch.
        official: compute in the official shapes, untrimmed and attending to the whole cache, which decides
            between tokens that are equally likely up to rounding.
        settings: of `SamplingSettings`, where they differ from the defaults.

    Returns:
        (len(seeds), block_size) int64 on the model's device.

    Raises:
        ValueError: settings out of range.
    """
    how = replace(DEFAULTS, **settings)
    rows = how.checked_rows(seeds=len(seeds), prompts=len(caption_features), one_for_all="captions")
    inner = bare(model, LlamaGen)
    device, length = inner.output.weight.device, inner.config.block_size
    features, mask = _repeat_last(caption_features, rows), None if mask is None else _repeat_last(mask, rows)
    if trim and not official:
        features, mask = trim_caption(features, mask)
    choose = how.chooser(fill(seeds, rows), length, device)
    mask = None if mask is None else mask.to(device)
    partly: Attended = "steps" if decoding.by_graphs(device) else "filled"
    attended = "whole" if official else partly
    with evaluating(model), nullcontext() if official else packed(inner):
        decoder = LlamaGenDecoder(inner, features.to(device), mask, how.guidance, attended=attended)
        tokens = decoding.decode(decoder, choose)
    return tokens[: len(seeds)]


def _repeat_last(values: Tensor, rows: int) -> Tensor:
    """Repeat the last row until there are `rows`."""
    return torch.cat([values, values[-1:].expand(rows - len(values), *values.shape[1:])])
