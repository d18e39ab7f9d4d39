"""Sampling images: guidance in one batch, a static cache, a random stream for each image.

The grammar of an image is known beforehand, so the ids that it forces are never sampled: the header is
given, separators are put where they belong, and the model only chooses image tokens. The result is always a
complete image of the requested size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.cache_utils import Cache

from proxytune.student import decoding
from proxytune.student.decoding import StepShape
from proxytune.student.families.lumina.layout import Grid, Layout
from proxytune.student.families.lumina.transformer import Lumina
from proxytune.student.modules import bare, evaluating
from proxytune.student.sampling import Choose, SamplingSettings, fill
from proxytune.student.transformers_decoding import TransformersDecoder, pad_left

# Those of Lumina-mGPT's README.
DEFAULTS = SamplingSettings(guidance=4.0, top_k=2000)


@torch.no_grad()
def sample_tokens(
    model: nn.Module,
    layout: Layout,
    prompts: Sequence[Sequence[int]],
    grid: Grid,
    seeds: Sequence[int],
    *,
    slots: int | None = None,
    **settings: Any,
) -> Tensor:
    """Sample the tokens of one image per seed, all in one batch.

    Args:
        model: a Lumina, also wrapped by peft. Its train or eval mode is as before afterwards.
        prompts: the ids before each image, one prompt per seed.
        grid: the size of all of them.
        slots: pad the prompts to so many ids, so that shapes do not depend on the batch; None pads to the
            longest.
        settings: of `SamplingSettings`, where they differ from the defaults.

    Returns:
        (len(seeds), grid.tokens) int64, row by row.

    Raises:
        ValueError: settings out of range.
    """
    how = replace(DEFAULTS, **settings)
    rows = how.checked_rows(seeds=len(seeds), prompts=len(prompts))
    choose = how.chooser(fill(seeds, rows), grid.tokens, bare(model, Lumina).device)
    tokens = decode(model, layout, fill(prompts, rows), grid, choose, guidance=how.guidance, slots=slots)
    return tokens[: len(seeds)]


@torch.no_grad()
def decode(
    model: nn.Module,
    layout: Layout,
    prompts: Sequence[Sequence[int]],
    grid: Grid,
    choose: Choose,
    *,
    guidance: float,
    slots: int | None = None,
) -> Tensor:
    """Decode images token by token, all in one batch.

    Args:
        choose: returns each image's choice among the candidates, which are in the order of their ids.
        slots: see `sample_tokens`.

    Returns:
        (images, grid.tokens) int64, row by row.
    """
    inner = bare(model, Lumina)
    ids, token_of = torch.tensor(layout.vocabulary.codes, device=inner.device).sort()
    with evaluating(model):
        before, padding = _rows_before(layout, prompts, grid, guidance, slots, inner.device)
        decoder = _LuminaDecoder(inner, layout, grid, ids, before=before, padding=padding, guidance=guidance)
        return token_of[decoding.decode(decoder, choose)]


class _LuminaDecoder(TransformersDecoder):
    """Images whose rows end with separators, which are fed with the token before them.

    The separators after the last token are known when it is, and nothing comes after them: they are not fed.

    Args:
        ids: of the candidates, in the order in which they are chosen from.
    """

    def __init__(
        self,
        model: Lumina,
        layout: Layout,
        grid: Grid,
        ids: Tensor,
        *,
        before: Tensor,
        padding: Tensor,
        guidance: float,
    ) -> None:
        self._model, self._columns, self._ids = model, grid.columns, ids
        self._head = model.lm_head.weight[ids]
        self._separator = torch.full((len(before), 1), layout.vocabulary.row_end, device=ids.device)
        layers = model.config.num_hidden_layers
        super().__init__(before, padding, layers=layers, tokens_per_image=grid.tokens, guidance=guidance)

    def run(self, inputs: Tensor, mask: Tensor, positions: Tensor, cache: Cache) -> Tensor:
        """Run the layers."""
        return self._model.hidden(inputs, mask=mask, positions=positions, cache=cache)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits of the candidates."""
        return F.linear(hidden, self._head).float()

    def inputs(self, tokens: Tensor, shape: StepShape) -> Tensor:
        """Return their ids, at the end of a row with its separator."""
        ids = self._ids[tokens]
        return ids if shape.fed == 1 else torch.cat([ids, self._separator], dim=1)

    def offset(self, index: int) -> int:
        """Count the tokens before it, and a separator for each complete row."""
        return index + index // self._columns

    def offset_on_device(self, index: Tensor) -> Tensor:
        """Do the same for an index on the device."""
        return index + index.div(self._columns, rounding_mode="floor")

    def fed(self, index: int) -> int:
        """Count a separator too where a row ends."""
        return 2 if (index + 1) % self._columns == 0 else 1


def _rows_before(
    layout: Layout,
    prompts: Sequence[Sequence[int]],
    grid: Grid,
    guidance: float,
    slots: int | None,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Return the ids (rows, S) before the image tokens, and how many of them are padding in each row.

    With guidance, the rows without prompt have the header only.
    """
    header = layout.header(grid)
    rows = [[*prompt, *header] for prompt in prompts]
    if guidance != 1.0:
        rows += [header] * len(prompts)
    length = None if slots is None else slots + len(header)
    return pad_left(rows, layout.vocabulary.begin, device, slots=length)
