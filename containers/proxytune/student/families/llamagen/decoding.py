"""Decoding by LlamaGen: guidance rows, key-value cache, and the keys that each token may attend to."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from proxytune.student.decoding import StepShape, window
from proxytune.student.families.llamagen.layers import KVCache
from proxytune.student.families.llamagen.transformer import LlamaGen, attention_mask
from proxytune.student.sampling import guide

# The part of the cache that a token attends to. `filled`: what is filled, the least work, but another shape
# for every token. `steps`: so much more that shapes change rarely, as CUDA graphs need it. `whole`: all of
# it, as the official code does; then sums are rounded as officially on a CPU.
Attended = Literal["filled", "steps", "whole"]


class LlamaGenDecoder:
    """The state of one batch while it is decoded; a `student.decoding.Decoder`.

    Args:
        caption: (images, n, caption_dim). mask: (images, n), None when all slots are valid.
        guidance: 1 leaves the null caption's rows out.
        attended: see `Attended`.
    """

    def __init__(
        self, model: LlamaGen, caption: Tensor, mask: Tensor | None, guidance: float, *, attended: Attended
    ) -> None:
        self.model, self.guidance, self.attended = model, guidance, attended
        self.images, self.slots = caption.shape[:2]
        self.tokens_per_image = model.config.block_size
        device = model.output.weight.device
        self._copies = 1 if guidance == 1.0 else 2
        if self._copies == 2:
            # The null rows keep the caption's mask: so the official code trains and samples.
            caption, mask = caption.repeat(2, 1, 1), None if mask is None else mask.repeat(2, 1)
        rows, length = len(caption), self.slots + self.tokens_per_image
        self._prefix = model.embed_caption(caption, torch.arange(rows, device=device) >= self.images)
        self._rotation = model.rotation(self.slots, device)
        self._cache = KVCache(model.config, rows, length, device=device, dtype=self._prefix.dtype)
        self._places = torch.arange(self._cache.length, device=device)
        self._caption_mask = mask
        # The slots of the cache that may be attended to once they are filled; None: all of them.
        self._valid: Tensor | None = None
        if attended != "filled" or mask is not None:
            self._valid = torch.ones(rows, self._cache.length, dtype=torch.bool, device=device)
            if mask is not None:
                self._valid[:, : self.slots] = mask.bool()

    def first(self) -> Tensor:
        """Feed the captions; see `student.decoding.Decoder`."""
        mask, attended = None, self._window(self.slots)
        if self._caption_mask is not None:
            mask = F.pad(attention_mask(self._caption_mask, self.slots), (0, attended - self.slots))
        self._cache.aim(self._places[: self.slots], attended)
        return self._advance(self._prefix, self._rotation[: self.slots], mask)

    def shape(self, index: int) -> StepShape:
        """Return the shape of the step that feeds token `index`."""
        return StepShape(self._window(self.slots + index + 1))

    def feed(self, tokens: Tensor, index: Tensor, shape: StepShape) -> Tensor:
        """Feed token `index` of each image; see `student.decoding.Decoder`."""
        place = index + self.slots
        mask = None
        if self._valid is not None:
            mask = self._valid[:, : shape.window]
            if self.attended != "filled":
                mask = mask & (self._places[: shape.window] <= place)
            mask = mask[:, None, None]
        self._cache.aim(place, shape.window)
        embedded = self.model.tok_embeddings(tokens.repeat(self._copies))[:, None]
        # Plain matrix products, as in the official code: so where two tokens are equally likely up to
        # rounding, the same one wins. On a GPU they would copy the whole cache to float32.
        plain = self.attended == "whole" and tokens.device.type == "cpu"
        with sdpa_kernel(SDPBackend.MATH) if plain else nullcontext():
            return self._advance(embedded, self._rotation.index_select(0, place), mask)

    def _window(self, filled: int) -> int:
        if self.attended == "filled":
            return filled
        length = self._cache.length
        return length if self.attended == "whole" else window(filled, length)

    def _advance(self, embedded: Tensor, rotation: Tensor, mask: Tensor | None) -> Tensor:
        hidden = self.model.run(embedded, rotation, mask, self._cache)[:, -1]
        return guide(self.model.logits(hidden), self.images, self.guidance)
