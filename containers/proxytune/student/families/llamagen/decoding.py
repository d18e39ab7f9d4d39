"""Decoding of one batch of images: guidance rows, key-value cache, and the keys each token may attend to.

`Decoder` suits any device. `decode_by_graph` is for GPUs, where kernels of a few microseconds would wait for
Python: a complete step, sampling included, is recorded once as a CUDA graph and replayed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from proxytune.student.families.llamagen.layers import KVCache
from proxytune.student.families.llamagen.transformer import LlamaGen, attention_mask
from proxytune.student.sampling import Choose, guide

# Steps computed before recording, as CUDA's libraries allocate what they need in the first ones.
WARM_UP = 2


class Decoder:
    """The state of one batch while it is decoded.

    Args:
        caption: (images, n, caption_dim). mask: (images, n), None when all slots are valid.
        guidance: 1 leaves the null caption's rows out.
        static: attend to the complete cache for every token, as the official code does. Then shapes never
            change, as CUDA graphs need it, and on a CPU sums are rounded as officially. Otherwise only to
            what is filled, about half of it.
    """

    def __init__(
        self, model: LlamaGen, caption: Tensor, mask: Tensor | None, guidance: float, *, static: bool
    ) -> None:
        self.model = model
        self.guidance = guidance
        self.images = len(caption)
        self.slots = caption.shape[1]
        device = model.output.weight.device
        if guidance != 1.0:
            # The null rows keep the caption's mask: so the official code trains and samples.
            caption, mask = caption.repeat(2, 1, 1), None if mask is None else mask.repeat(2, 1)
        rows, length = len(caption), self.slots + model.config.block_size
        self.prefix = model.embed_caption(caption, torch.arange(rows, device=device) >= self.images)
        self.rotation = model.rotation(self.slots, device)
        self.cache = KVCache(
            model.config, rows, length, static=static, device=device, dtype=self.prefix.dtype
        )
        self._caption_mask = mask
        # The slots of the cache that may be attended to; None: all that are filled.
        self._key_mask: Tensor | None = None
        if static or mask is not None:
            self._key_mask = torch.zeros(rows, self.cache.length, dtype=torch.bool, device=device)
            self._key_mask[:, : self.slots] = True if mask is None else mask.bool()

    def first(self) -> Tensor:
        """Feed the captions; return the guided (images, V) logits of the first token."""
        mask = None
        if self._caption_mask is not None:
            mask = attention_mask(self._caption_mask, self.slots)
            mask = F.pad(mask, (0, self.cache.length - self.slots)) if self.cache.static else mask
        return self._advance(self.prefix, self.rotation[: self.slots], mask, 0)

    def decode_step(self, tokens: Tensor, index: int) -> Tensor:
        """Feed (images,) tokens, number `index` of each image; return the logits of those after them."""
        start = self.slots + index
        mask = None
        if self._key_mask is not None:
            self._key_mask[:, start] = True
            mask = (
                self._key_mask[:, None, None]
                if self.cache.static
                else self._key_mask[:, None, None, : start + 1]
            )
        # Plain matrix products, as in the official code: so where two tokens are equally likely up to
        # rounding, the same one wins. On a GPU they would copy the whole cache to float32.
        plain = self.cache.static and tokens.device.type == "cpu"
        with sdpa_kernel(SDPBackend.MATH) if plain else nullcontext():
            return self._advance(self._embed(tokens), self.rotation[start : start + 1], mask, start)

    def decode_step_static(self, tokens: Tensor, index: Tensor) -> Tensor:
        """Do the same for an index (1,) on the device; for a static cache."""
        assert self._key_mask is not None
        start = index + self.slots
        self._key_mask.index_fill_(1, start, value=True)
        return self._advance(
            self._embed(tokens), self.rotation.index_select(0, start), self._key_mask[:, None, None], start
        )

    def reset(self) -> None:
        """Go back to the end of the caption; the slots after it are filled before they are read."""
        assert self._key_mask is not None
        self._key_mask[:, self.slots :] = False

    def _embed(self, tokens: Tensor) -> Tensor:
        return self.model.tok_embeddings(tokens.repeat(len(self.prefix) // self.images))[:, None]

    def _advance(
        self, embedded: Tensor, rotation: Tensor, mask: Tensor | None, start: int | Tensor
    ) -> Tensor:
        hidden = self.model.run(embedded, rotation, mask, self.cache, start)[:, -1]
        logits = self.model.logits(hidden)
        return guide(logits, self.images, self.guidance)


def decode(decoder: Decoder, choose: Choose) -> Tensor:
    """Sample all tokens, step by step: (images, block_size) int64."""
    count, device = decoder.model.config.block_size, decoder.prefix.device
    sampled = torch.empty(decoder.images, count, dtype=torch.long, device=device)
    # The indices are made on the device, so that no step sends one there.
    indices = torch.arange(count, device=device)[:, None]
    logits = decoder.first()
    for step in range(count):
        sampled[:, step] = tokens = choose(logits, indices[step])
        if step + 1 < count:
            logits = decoder.decode_step(tokens, step)
    return sampled


class StaticStep:
    """One decoding step whose operations and memory are the same for every token.

    Everything that changes lies in tensors that are changed in place, the index of the token too: so a
    recording of one step, replayed, decodes an image.
    """

    def __init__(self, decoder: Decoder, choose: Choose) -> None:
        self._decoder, self._choose = decoder, choose
        count, device = decoder.model.config.block_size, decoder.prefix.device
        self.tokens = torch.zeros(decoder.images, count, dtype=torch.long, device=device)
        self._index = torch.zeros(1, dtype=torch.long, device=device)
        self.tokens[:, 0] = self._newest = choose(decoder.first(), self._index)

    def run(self) -> None:
        """Feed the newest tokens and sample those after them."""
        logits = self._decoder.decode_step_static(self._newest, self._index)
        self._index += 1
        self._newest.copy_(self._choose(logits, self._index))
        self.tokens.index_copy_(1, self._index, self._newest[:, None])

    def rewind(self, tokens: Tensor) -> None:
        """Go back to the first tokens, (images,): those after them are sampled again."""
        self._index.zero_()
        self._newest.copy_(tokens)
        self._decoder.reset()


def decode_by_graph(decoder: Decoder, choose: Choose) -> Tensor:
    """Do the same as `decode` by a CUDA graph, or step by step where it cannot be recorded.

    Args:
        decoder: with a static cache.
    """
    step = StaticStep(decoder, choose)
    first = step.tokens[:, 0].clone()
    replay = _record(step)
    step.rewind(first)
    for _ in range(1, step.tokens.shape[1]):
        replay()
    return step.tokens


def _record(step: StaticStep) -> Callable[[], None]:
    """Record one step as a graph; return `step.run` itself where there is no GPU, or CUDA refuses."""
    if not step.tokens.is_cuda:
        return step.run
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(min(WARM_UP, step.tokens.shape[1] - 1)):
            step.run()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            step.run()
    except RuntimeError as error:
        print(f"sampled without a CUDA graph: {error}", flush=True)
        return step.run
    return graph.replay
