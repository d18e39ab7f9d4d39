"""Decoding by a transformer of transformers': key-value cache, masks, positions, guidance.

LlamaGen's own transformer has its own decoder (`llamagen.decoding`), with the official shapes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, StaticLayer

from proxytune.student.decoding import StepShape, window
from proxytune.student.sampling import guide


class _WindowLayer(StaticLayer):
    """A static layer that is written at given places and returns its first positions only.

    Attributes:
        places: (S,) int64 on the device, where the next S keys and values belong.
        window: how many positions are returned.
    """

    places: Tensor
    window: int

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Store keys and values (rows, heads, S, head_dim); return those within the window."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        self.keys.index_copy_(2, self.places, key_states)
        self.values.index_copy_(2, self.places, value_states)
        return self.keys[:, :, : self.window], self.values[:, :, : self.window]


class WindowCache(Cache):
    """A static cache of which only a part is read, for less work than attending to all of it.

    Args:
        layers: of the transformer.
        length: positions in all.
    """

    def __init__(self, layers: int, length: int) -> None:
        super().__init__(layers=[_WindowLayer(length) for _ in range(layers)])

    def aim(self, places: Tensor, positions: int) -> None:
        """Let the next keys and values go to these places (S,), and let `positions` be returned."""
        for layer in self.layers:
            layer.places, layer.window = places, positions


def pad_left(
    rows: Sequence[Sequence[int]], filler: int, device: torch.device, *, slots: int | None = None
) -> tuple[Tensor, Tensor]:
    """Pad rows of ids on the left.

    Args:
        slots: ids of a row in all, at least those of the longest; None takes these.

    Returns:
        (rows, slots) int64, and (rows,) how many ids of each are filler: a decoder's padding.
    """
    slots = max(len(row) for row in rows) if slots is None else slots
    ids = [[filler] * (slots - len(row)) + list(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor([slots - len(row) for row in rows], device=device)


class TransformersDecoder(ABC):
    """The state of one batch while it is decoded; a `student.decoding.Decoder`.

    With guidance there are two rows per image: first all with their prompt, then all without. Each row counts
    its own positions from 0; shorter rows are padded on the left.

    Args:
        before: (rows, S, ...) inputs before the first token: ids or embeddings.
        padding: (rows,) positions at the beginning of each row that hold nothing.
        layers: how many layers keep keys and values.
        tokens_per_image: that are sampled.
        guidance: 1 means that there are no rows without prompt.
    """

    def __init__(
        self, before: Tensor, padding: Tensor, *, layers: int, tokens_per_image: int, guidance: float
    ) -> None:
        self._before, self.guidance, self.tokens_per_image = before, guidance, tokens_per_image
        self._copies = 1 if guidance == 1.0 else 2
        self.images = len(before) // self._copies
        self._slots = before.shape[1]
        last = tokens_per_image - 2
        self._length = self._slots if last < 0 else self._slots + self.offset(last) + self.fed(last)
        self._cache = WindowCache(layers, self._length)
        self._places = torch.arange(self._length, device=padding.device)
        # Keys that may be attended to, once they are filled.
        self._valid = self._places >= padding[:, None]
        self._positions = (self._places - padding[:, None]).clamp(min=0)

    @abstractmethod
    def run(self, inputs: Tensor, mask: Tensor, positions: Tensor, cache: Cache) -> Tensor:
        """Run the transformer up to and with its last norm.

        Args:
            inputs: (rows, S, ...). mask: (rows, 1, S, keys) bool. positions: (rows, S).

        Returns:
            (rows, S, width).
        """

    @abstractmethod
    def logits(self, hidden: Tensor) -> Tensor:
        """Map hidden states (rows, width) to the logits of what is chosen from, (rows, V) float32."""

    @abstractmethod
    def inputs(self, tokens: Tensor, shape: StepShape) -> Tensor:
        """Return what is fed for chosen tokens (rows, 1): (rows, shape.fed, ...) inputs."""

    def offset(self, index: int) -> int:
        """Count what is fed of an image before its token `index`."""
        return index

    def offset_on_device(self, index: Tensor) -> Tensor:
        """Do the same for an index (1,) on the device."""
        return index

    def fed(self, index: int) -> int:
        """Count the ids that are fed with token `index`, itself included."""
        del index
        return 1

    def first(self) -> Tensor:
        """Feed what comes before the images; see `student.decoding.Decoder`."""
        return self._advance(self._before, self._places[: self._slots], window(self._slots, self._length))

    def shape(self, index: int) -> StepShape:
        """Return the shape of the step that feeds token `index`."""
        fed = self.fed(index)
        return StepShape(window(self._slots + self.offset(index) + fed, self._length), fed)

    def feed(self, tokens: Tensor, index: Tensor, shape: StepShape) -> Tensor:
        """Feed token `index` of each image; see `student.decoding.Decoder`."""
        inputs = self.inputs(tokens.repeat(self._copies)[:, None], shape)
        places = self._slots + self.offset_on_device(index) + self._places[: shape.fed]
        return self._advance(inputs, places, shape.window)

    def _advance(self, inputs: Tensor, places: Tensor, positions: int) -> Tensor:
        """Run (rows, S, ...) inputs at their places (S,); return the guided logits after the last ones."""
        keys, queries = self._places[:positions], places[:, None]
        # A padded query attends to itself, since a row that attends to nothing is NaN.
        mask = (self._valid[:, None, :positions] & (keys <= queries)) | (keys == queries)
        self._cache.aim(places, positions)
        hidden = self.run(inputs, mask[:, None], self._positions.index_select(1, places), self._cache)
        return guide(self.logits(hidden[:, -1]), self.images, self.guidance)
