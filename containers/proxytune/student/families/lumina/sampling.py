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

from proxytune.student.decoding import Decoder, pad_left
from proxytune.student.families.lumina.layout import Grid, Layout
from proxytune.student.families.lumina.transformer import Lumina
from proxytune.student.modules import bare, evaluating
from proxytune.student.sampling import Choose, SamplingSettings, fill

# Those of Lumina-mGPT's README.
DEFAULTS = SamplingSettings(guidance=4.0, top_k=2000)


@torch.no_grad()
def sample_tokens(
    model: nn.Module,
    layout: Layout,
    prompts: Sequence[Sequence[int]],
    grid: Grid,
    seeds: Sequence[int],
    **settings: Any,
) -> Tensor:
    """Sample the tokens of one image per seed, all in one batch.

    Args:
        model: a Lumina, also wrapped by peft. Its train or eval mode is as before afterwards.
        prompts: the ids before each image, one prompt per seed; of one length where batches must not matter.
        grid: the size of all of them.
        settings: of `SamplingSettings`, where they differ from the defaults.

    Returns:
        (len(seeds), grid.tokens) int64, row by row.

    Raises:
        ValueError: settings out of range.
    """
    how = replace(DEFAULTS, **settings)
    rows = how.checked_rows(seeds=len(seeds), prompts=len(prompts))
    choose = how.chooser(fill(seeds, rows), grid.tokens, bare(model, Lumina).device)
    tokens = decode(model, layout, fill(prompts, rows), grid, choose, guidance=how.guidance)
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
) -> Tensor:
    """Decode images token by token, all in one batch.

    Args:
        choose: returns each image's choice among the candidates, which are in the order of their ids.

    Returns:
        (images, grid.tokens) int64, row by row.
    """
    inner = bare(model, Lumina)
    ids, token_of = torch.tensor(layout.vocabulary.codes, device=inner.device).sort()
    tokens = torch.empty(len(prompts), grid.tokens, dtype=torch.long, device=inner.device)
    positions = [position for position in range(grid.block - 4) if layout.forced(position, grid) is None]
    with evaluating(model):
        head = inner.lm_head.weight[ids]
        before, padding = _rows_before(layout, prompts, grid, guidance, inner.device)
        decoder = Decoder(
            lambda fed, mask, positions, cache: inner.hidden(
                fed, mask=mask, positions=positions, cache=cache
            ),
            layers=inner.config.num_hidden_layers,
            padding=padding,
            # The separators after the last token are known when it is, and nothing comes after them.
            length=before.shape[1] + max(0, grid.rows * (grid.columns + 1) - 2),
            guidance=guidance,
        )
        hidden = decoder.feed(before)
        for index, position in enumerate(positions):
            chosen = choose(decoder.guided(F.linear(hidden, head).float()), index)
            tokens[:, index] = token_of[chosen]
            if index + 1 < len(positions):
                hidden = _feed(decoder, layout, grid, position, ids[chosen])
    return tokens


def _rows_before(
    layout: Layout, prompts: Sequence[Sequence[int]], grid: Grid, guidance: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the ids (rows, S) before the image tokens, and how many of them are padding in each row.

    With guidance, the rows without prompt have the header only.
    """
    header = layout.header(grid)
    rows = [[*prompt, *header] for prompt in prompts]
    if guidance != 1.0:
        rows += [header] * len(prompts)
    return pad_left(rows, layout.vocabulary.begin, device)


def _feed(decoder: Decoder, layout: Layout, grid: Grid, position: int, chosen: Tensor) -> Tensor:
    """Feed the ids that were chosen for `position`, and the separator after them where the row ends."""
    fed = decoder.for_all_rows(chosen)[:, None]
    separator = layout.forced(position + 1, grid)
    if separator is not None:
        fed = torch.cat([fed, torch.full_like(fed, separator)], dim=1)
    return decoder.feed(fed)
