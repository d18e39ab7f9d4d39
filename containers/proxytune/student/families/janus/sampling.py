"""Sampling images: guidance in one batch, a static cache, a random stream for each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from proxytune.student.decoding import Decoder, pad_left
from proxytune.student.families.janus.transformer import Janus
from proxytune.student.modules import bare, evaluating
from proxytune.student.sampling import SamplingSettings, fill

# Janus-Pro's own.
DEFAULTS = SamplingSettings(guidance=5.0)


@torch.no_grad()
def sample_tokens(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    dropped_prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    **settings: Any,
) -> Tensor:
    """Sample the tokens of one image per seed, all in one batch.

    Args:
        model: a Janus, also wrapped by peft. Its train or eval mode is as before afterwards.
        prompts: the ids before each image, one prompt per seed; of one length where batches must not matter.
        dropped_prompts: the ids in their place in the rows without prompt.
        settings: of `SamplingSettings`, where they differ from the defaults.

    Returns:
        (len(seeds), tokens per image) int64, row by row.

    Raises:
        ValueError: settings out of range.
    """
    lm, how = bare(model, Janus), replace(DEFAULTS, **settings)
    rows = how.checked_rows(seeds=len(seeds), prompts=len(prompts))
    before = [*fill(prompts, rows), *([] if how.guidance == 1.0 else fill(dropped_prompts, rows))]
    length, device = lm.tokens_per_image, lm.device
    choose = how.chooser(fill(seeds, rows), length, device)
    tokens = torch.empty(rows, length, dtype=torch.long, device=device)
    with evaluating(model):
        decoder, hidden = _begin(lm, before, how.guidance)
        for index in range(length):
            tokens[:, index] = chosen = choose(decoder.guided(lm.logits(hidden).float()), index)
            if index + 1 < length:
                hidden = decoder.feed(lm.embed_image_tokens(decoder.for_all_rows(chosen)[:, None]))
    return tokens[: len(seeds)]


def _begin(lm: Janus, before: Sequence[Sequence[int]], guidance: float) -> tuple[Decoder, Tensor]:
    """Feed the prompts; return the decoder, and the hidden states of their last ids."""
    ids, padding = pad_left(before, 0, lm.device)
    decoder = Decoder(
        lambda fed, mask, positions, cache: lm.hidden(fed, mask=mask, positions=positions, cache=cache),
        layers=lm.config.text_config.num_hidden_layers,
        padding=padding,
        length=ids.shape[1] + lm.tokens_per_image - 1,
        guidance=guidance,
    )
    return decoder, decoder.feed(lm.embed_text(ids))
