"""The ids and labels that some images are learned from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from proxytune.student.families.lumina.layout import Grid, Layout
from proxytune.student.families.lumina.transformer import IGNORED

# The id that fills short rows, officially; no label stands there.
PAD = 0


def training_batch(
    layout: Layout, grid: Grid, prompts: Sequence[Sequence[int]], tokens: Tensor
) -> tuple[Tensor, Tensor]:
    """Put sequences together: prompt, image, separator, short rows padded on the right.

    Args:
        prompts: the ids before each image; empty for one learned without words.
        tokens: (B, grid.tokens).

    Returns:
        Ids and labels (B, S) int64. The prompt has no labels.
    """
    blocks = layout.block(tokens, grid)
    rows = [layout.sequence(prompt, block) for prompt, block in zip(prompts, blocks, strict=True)]
    labels = []
    for prompt, row in zip(prompts, rows, strict=True):
        wanted = row.clone()
        wanted[: len(prompt)] = IGNORED
        labels.append(wanted)
    return (
        pad_sequence(rows, batch_first=True, padding_value=PAD),
        pad_sequence(labels, batch_first=True, padding_value=IGNORED),
    )


def position_weights(grid: Grid, lengths: Sequence[int], weights: Tensor) -> Tensor:
    """Put the weights of image tokens where `training_batch` puts the tokens: (B, S), 1 everywhere else.

    Args:
        lengths: of the prompts.
        weights: (B, grid.tokens).
    """
    rows = weights.view(-1, grid.rows, grid.columns)
    # Each row ends with its separator; the header is before them, the end and a separator after.
    body = torch.nn.functional.pad(rows, (0, 1), value=1.0).flatten(1)
    padded = [
        torch.nn.functional.pad(row, (length + 3, 2), value=1.0)
        for row, length in zip(body, lengths, strict=True)
    ]
    return pad_sequence(padded, batch_first=True, padding_value=1.0)
