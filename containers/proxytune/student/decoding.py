"""Decoding of one batch by a transformer of transformers': cache, masks, positions, guidance.

LlamaGen's own transformer has its own decoder (`llamagen.decoding`), with the official shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, StaticLayer

from proxytune.student.sampling import guide

# Keys are read in steps of so many, so that shapes change rarely.
WINDOW_STEP = 256
# From inputs (rows, S, ...), mask (rows, 1, S, keys), positions (rows, S) and cache to (rows, S, width).
Run = Callable[[Tensor, Tensor, Tensor, Cache], Tensor]


class _WindowLayer(StaticLayer):
    """A static layer that returns its first `window` positions only."""

    window: int

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append keys and values; return those within the window."""
        keys, values = super().update(key_states, value_states, *args, **kwargs)
        return keys[:, :, : self.window], values[:, :, : self.window]


class WindowCache(Cache):
    """A static cache whose unfilled end is not read: half the work, on average, of attending to all of it.

    Args:
        layers: of the transformer.
        length: positions in all.
    """

    def __init__(self, layers: int, length: int) -> None:
        self.length = length
        super().__init__(layers=[_WindowLayer(length) for _ in range(layers)])

    def window(self, filled: int) -> int:
        """Let the layers return at least `filled` positions; return how many."""
        positions = min(self.length, -(-filled // WINDOW_STEP) * WINDOW_STEP)
        for layer in self.layers:
            layer.window = positions
        return positions


def pad_left(rows: Sequence[Sequence[int]], filler: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Pad rows of ids on the left.

    Returns:
        (rows, longest) int64, and (rows,) how many ids of each are filler: `Decoder`'s padding.
    """
    longest = max(len(row) for row in rows)
    ids = [[filler] * (longest - len(row)) + list(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor([longest - len(row) for row in rows], device=device)


class Decoder:
    """The state of one batch while it is decoded.

    With guidance there are two rows per image: first all with their prompt, then all without. Each row counts
    its own positions from 0; shorter rows are padded on the left.

    Args:
        run: the transformer, up to and with its last norm.
        layers: how many layers keep keys and values.
        padding: (rows,) positions at the beginning of each row that hold nothing.
        length: positions of a row in all, padding and everything that will be fed included.
        guidance: 1 means that there are no rows without prompt.
    """

    def __init__(self, run: Run, *, layers: int, padding: Tensor, length: int, guidance: float) -> None:
        self._run, self.guidance = run, guidance
        self.rows = len(padding)
        self.images = self.rows if guidance == 1.0 else self.rows // 2
        self._cache = WindowCache(layers, length)
        keys = torch.arange(length, device=padding.device)
        # Keys that may be attended to, once they are filled.
        self._key_mask = keys >= padding[:, None]
        self._positions = (keys - padding[:, None]).clamp(min=0)
        self._filled = 0

    def feed(self, inputs: Tensor) -> Tensor:
        """Run (rows, S, ...) inputs; return the hidden states of the last ones, (rows, width)."""
        start, self._filled = self._filled, self._filled + inputs.shape[1]
        window = self._cache.window(self._filled)
        keys = torch.arange(window, device=inputs.device)
        queries = torch.arange(start, self._filled, device=inputs.device)[:, None]
        # A padded query attends to itself, since a row that attends to nothing is NaN.
        mask = (self._key_mask[:, None, :window] & (keys <= queries)) | (keys == queries)
        positions = self._positions[:, start : self._filled]
        return self._run(inputs, mask[:, None], positions, self._cache)[:, -1]

    def for_all_rows(self, chosen: Tensor) -> Tensor:
        """Repeat the choice for each image (images, ...) for its row without prompt."""
        return chosen.repeat(self.rows // self.images, *[1] * (chosen.dim() - 1))

    def guided(self, logits: Tensor) -> Tensor:
        """Combine (rows, V) logits to (images, V)."""
        return guide(logits, self.images, self.guidance)
