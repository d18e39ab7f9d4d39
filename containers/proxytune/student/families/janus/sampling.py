"""Sampling images: guidance in one batch, a static cache, a random stream for each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache

from proxytune.student import decoding
from proxytune.student.decoding import StepShape
from proxytune.student.families.janus.transformer import Janus
from proxytune.student.modules import bare, evaluating
from proxytune.student.sampling import SamplingSettings, fill
from proxytune.student.transformers_decoding import TransformersDecoder, pad_left

# Janus-Pro's own.
DEFAULTS = SamplingSettings(guidance=5.0)


@torch.no_grad()
def sample_tokens(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    dropped_prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    *,
    slots: int | None = None,
    **settings: Any,
) -> Tensor:
    """Sample the tokens of one image per seed, all in one batch.

    Args:
        model: a Janus, also wrapped by peft. Its train or eval mode is as before afterwards.
        prompts: the ids before each image, one prompt per seed.
        dropped_prompts: the ids in their place in the rows without prompt.
        slots: pad the prompts to so many ids, so that shapes do not depend on the batch; None pads to the
            longest.
        settings: of `SamplingSettings`, where they differ from the defaults.

    Returns:
        (len(seeds), tokens per image) int64, row by row.

    Raises:
        ValueError: settings out of range.
    """
    lm, how = bare(model, Janus), replace(DEFAULTS, **settings)
    rows = how.checked_rows(seeds=len(seeds), prompts=len(prompts))
    before = [*fill(prompts, rows), *([] if how.guidance == 1.0 else fill(dropped_prompts, rows))]
    choose = how.chooser(fill(seeds, rows), lm.tokens_per_image, lm.device)
    with evaluating(model):
        ids, padding = pad_left(before, 0, lm.device, slots=slots)
        tokens = decoding.decode(_JanusDecoder(lm, ids, padding, how.guidance), choose)
    return tokens[: len(seeds)]


class _JanusDecoder(TransformersDecoder):
    """Images whose tokens are embedded by a table of their own.

    Args:
        ids: (rows, S) of the prompts. padding: see `TransformersDecoder`.
    """

    def __init__(self, model: Janus, ids: Tensor, padding: Tensor, guidance: float) -> None:
        self._model = model
        layers, length = model.config.text_config.num_hidden_layers, model.tokens_per_image
        before = model.embed_text(ids)
        super().__init__(before, padding, layers=layers, tokens_per_image=length, guidance=guidance)

    def run(self, inputs: Tensor, mask: Tensor, positions: Tensor, cache: Cache) -> Tensor:
        """Run the layers of the language model."""
        return self._model.hidden(inputs, mask=mask, positions=positions, cache=cache)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits of the image tokens."""
        return self._model.logits(hidden).float()

    def inputs(self, tokens: Tensor, shape: StepShape) -> Tensor:
        """Return their embeddings."""
        del shape
        return self._model.embed_image_tokens(tokens)
