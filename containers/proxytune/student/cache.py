"""Keys and values of a batch being drawn: room for all from the start, read as far as it is filled."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, StaticLayer

# Keys are read in steps of so many, so that shapes change rarely.
WINDOW_STEP = 256


class _WindowLayer(StaticLayer):
    """A static layer that hands out its first `window` places only."""

    window: int

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Put them behind those that are there; return those within the window."""
        keys, values = super().update(key_states, value_states, *args, **kwargs)
        return keys[:, :, : self.window], values[:, :, : self.window]


class WindowCache(Cache):
    """A static cache whose unfilled end is not read: half the work, on average, of attending to all places.

    Args:
        layers: of the transformer.
        length: places in all.
    """

    def __init__(self, layers: int, length: int) -> None:
        self.length = length
        super().__init__(layers=[_WindowLayer(length) for _ in range(layers)])

    def window(self, filled: int) -> int:
        """Let the layers hand out at least `filled` places; return how many."""
        places = min(self.length, -(-filled // WINDOW_STEP) * WINDOW_STEP)
        for layer in self.layers:
            layer.window = places
        return places
