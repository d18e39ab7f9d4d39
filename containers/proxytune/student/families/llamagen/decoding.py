"""One batch of pictures being decoded: guidance rows, key-value cache, and what each token may attend to.

`Decoder` suits any device. `decode_by_graph` is for GPUs, where kernels of a few microseconds would wait for
Python: a whole step, drawing included, is recorded once as a CUDA graph and replayed.
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
from proxytune.student.sampling import Choose

# Steps computed before recording, as CUDA's libraries allocate what they need in the first ones.
WARM_UP = 2


class Decoder:
    """A batch on its way; gone when the batch is done.

    Args:
        caption: (pictures, n, caption_dim). mask: (pictures, n), None when all slots are valid.
        guidance: 1 leaves the null caption's rows out.
        whole: attend to the whole cache for every token, as the official code does. Then shapes never change,
            as CUDA graphs need it, and on a CPU sums are rounded as officially. Otherwise only to what is
            filled, about half of it.
    """

    def __init__(
        self, model: LlamaGen, caption: Tensor, mask: Tensor | None, guidance: float, *, whole: bool
    ) -> None:
        self.model = model
        self.guidance = guidance
        self.pictures = len(caption)
        self.slots = caption.shape[1]
        device = model.output.weight.device
        if guidance != 1.0:
            # The null rows keep the caption's mask: so the official code trains and samples.
            caption, mask = caption.repeat(2, 1, 1), None if mask is None else mask.repeat(2, 1)
        rows, length = len(caption), self.slots + model.config.block_size
        self.prefix = model.embed_caption(caption, torch.arange(rows, device=device) >= self.pictures)
        self.rotation = model.rotation(self.slots, device)
        self.cache = KVCache(model.config, rows, length, whole=whole, device=device, dtype=self.prefix.dtype)
        self._caption_mask = mask
        # Which slots of the cache hold something that may be attended to; None: all that are filled.
        self._open: Tensor | None = None
        if whole or mask is not None:
            self._open = torch.zeros(rows, self.cache.length, dtype=torch.bool, device=device)
            self._open[:, : self.slots] = True if mask is None else mask.bool()

    def first(self) -> Tensor:
        """Feed the captions; return the guided (pictures, V) logits of the first token."""
        mask = None
        if self._caption_mask is not None:
            mask = attention_mask(self._caption_mask, self.slots)
            mask = F.pad(mask, (0, self.cache.length - self.slots)) if self.cache.whole else mask
        return self._advance(self.prefix, self.rotation[: self.slots], mask, 0)

    def next(self, tokens: Tensor, place: int) -> Tensor:
        """Feed (pictures,) tokens, number `place` of each picture; return the logits of those after them."""
        start = self.slots + place
        mask = None
        if self._open is not None:
            self._open[:, start] = True
            mask = self._open[:, None, None] if self.cache.whole else self._open[:, None, None, : start + 1]
        # Plain matrix products, as in the official code: so where two tokens are equally likely up to
        # rounding, the same one wins. On a GPU they would copy the whole cache to float32.
        plain = self.cache.whole and tokens.device.type == "cpu"
        with sdpa_kernel(SDPBackend.MATH) if plain else nullcontext():
            return self._advance(self._embed(tokens), self.rotation[start : start + 1], mask, start)

    def next_anywhere(self, tokens: Tensor, place: Tensor) -> Tensor:
        """The same for a place (1,) on the device; for a whole cache."""
        assert self._open is not None
        start = place + self.slots
        self._open.index_fill_(1, start, value=True)
        return self._advance(
            self._embed(tokens), self.rotation.index_select(0, start), self._open[:, None, None], start
        )

    def close_after_caption(self) -> None:
        """Let nothing but the caption be attended to; the slots after it are filled before they are read."""
        assert self._open is not None
        self._open[:, self.slots :] = False

    def _embed(self, tokens: Tensor) -> Tensor:
        return self.model.tok_embeddings(tokens.repeat(len(self.prefix) // self.pictures))[:, None]

    def _advance(
        self, embedded: Tensor, rotation: Tensor, mask: Tensor | None, start: int | Tensor
    ) -> Tensor:
        hidden = self.model.run(embedded, rotation, mask, self.cache, start)[:, -1]
        logits = self.model.logits(hidden)
        if len(logits) == self.pictures:
            return logits
        conditional, null = logits.split(self.pictures)
        return null + self.guidance * (conditional - null)


def decode(decoder: Decoder, choose: Choose) -> Tensor:
    """Draw all tokens, step by step: (pictures, block_size) int64."""
    count, device = decoder.model.config.block_size, decoder.prefix.device
    drawn = torch.empty(decoder.pictures, count, dtype=torch.long, device=device)
    # Where the tokens' numbers are made, so that no step sends one there.
    places = torch.arange(count, device=device)[:, None]
    logits = decoder.first()
    for step in range(count):
        drawn[:, step] = tokens = choose(logits, places[step])
        if step + 1 < count:
            logits = decoder.next(tokens, step)
    return drawn


class StaticStep:
    """One decoding step whose operations and memory are the same for every token.

    Everything that changes lies in tensors that are changed in place, the number of the token too: so a
    recording of one step, replayed, decodes a picture.
    """

    def __init__(self, decoder: Decoder, choose: Choose) -> None:
        self._decoder, self._choose = decoder, choose
        count, device = decoder.model.config.block_size, decoder.prefix.device
        self.drawn = torch.zeros(decoder.pictures, count, dtype=torch.long, device=device)
        self._place = torch.zeros(1, dtype=torch.long, device=device)
        self.drawn[:, 0] = self._tokens = choose(decoder.first(), self._place)

    def run(self) -> None:
        """Feed the newest tokens and draw those after them."""
        logits = self._decoder.next_anywhere(self._tokens, self._place)
        self._place += 1
        self._tokens.copy_(self._choose(logits, self._place))
        self.drawn.index_copy_(1, self._place, self._tokens[:, None])

    def rewind(self, tokens: Tensor) -> None:
        """Go back to the first tokens, (pictures,): what was drawn after them is drawn again."""
        self._place.zero_()
        self._tokens.copy_(tokens)
        self._decoder.close_after_caption()


def decode_by_graph(decoder: Decoder, choose: Choose) -> Tensor:
    """The same as `decode` by a CUDA graph, or step by step where it cannot be recorded.

    Args:
        decoder: with a whole cache.
    """
    step = StaticStep(decoder, choose)
    first = step.drawn[:, 0].clone()
    replay = _record(step)
    step.rewind(first)
    for _ in range(1, step.drawn.shape[1]):
        replay()
    return step.drawn


def _record(step: StaticStep) -> Callable[[], None]:
    """One step as a graph; `step.run` itself without a GPU, or when CUDA refuses to record it."""
    if not step.drawn.is_cuda:
        return step.run
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(min(WARM_UP, step.drawn.shape[1] - 1)):
            step.run()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            step.run()
    except RuntimeError as error:
        print(f"drawn without a CUDA graph: {error}", flush=True)
        return step.run
    return graph.replay
