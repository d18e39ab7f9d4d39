"""Drawing picture tokens: filters, and a random stream for each picture; `decoding` has the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from proxytune.student.llamagen.decoding import Decoder, decode, decode_by_graph
from proxytune.student.llamagen.transformer import LlamaGen, trim_caption


def filtered_probabilities(
    logits: Tensor, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> Tensor:
    """Turn logits into the distribution that is drawn from.

    Temperature first, then the `top_k` likeliest tokens (ties with the last of them stay), then the smallest
    set of likeliest tokens whose probability exceeds `top_p`; the official order.

    Args:
        logits: (B, V) float32, after guidance.
        temperature: above 0; 1 changes nothing.
        top_k: 0 keeps all.
        top_p: in (0, 1]; 1 keeps all.

    Returns:
        (B, V) float32, rows summing to 1.
    """
    logits = logits / max(temperature, 1e-5)
    if 0 < top_k < logits.shape[-1]:
        # Only the last of them is needed, so the others need no order.
        floor = torch.topk(logits, top_k, dim=-1, sorted=False).values.amin(dim=-1, keepdim=True)
        logits = logits.masked_fill(logits < floor, -torch.inf)
    if top_p < 1.0:
        ordered, order = logits.sort(dim=-1, descending=True)
        below = ordered.softmax(dim=-1).cumsum(dim=-1)
        # A token goes when those likelier than it are already enough; the likeliest always stays.
        beyond = torch.zeros_like(below, dtype=torch.bool)
        beyond[:, 1:] = below[:, :-1] > top_p
        logits = logits.masked_fill(torch.zeros_like(beyond).scatter(1, order, beyond), -torch.inf)
    return logits.softmax(dim=-1)


def draw(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Draw one token a row by inverting the cumulative distribution.

    Unlike `torch.multinomial` a row needs one number of its own, so it cannot depend on its neighbours, and
    no random state lives on the device.

    Args:
        probabilities: (B, V).
        uniform: (B,) float64 in [0, 1), float32 grained: then no product rounds up to the whole sum.

    Returns:
        (B,) int64; never a token of probability 0.
    """
    cumulative = probabilities.double().cumsum(dim=-1)
    threshold = uniform[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, threshold, right=True)[:, 0]


def _streams(seeds: Sequence[int], length: int) -> Tensor:
    """Return (B, length) float64 uniforms, each row from its own CPU generator: the same on every device."""
    rows = [torch.rand(length, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(rows).double()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode, and every part of it back into the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def bare(model: nn.Module) -> LlamaGen:
    """Return the LlamaGen inside a peft wrapper (adapters stay in effect), or the model itself."""
    unwrap = getattr(model, "get_base_model", None)
    inner = model if unwrap is None else cast("Callable[[], nn.Module]", unwrap)()
    if not isinstance(inner, LlamaGen):
        raise TypeError(f"{type(inner).__name__} given; allowed: a LlamaGen, also wrapped by peft")
    return inner


@torch.no_grad()
def first_step_probabilities(
    model: nn.Module,
    caption_features: Tensor,
    mask: Tensor | None,
    *,
    guidance: float = 7.5,
    temperature: float = 1.0,
    top_k: int = 1000,
    top_p: float = 1.0,
) -> Tensor:
    """Return the (B, V) distribution of each picture's first token; the arguments are `sample_tokens`'."""
    with evaluating(model):
        logits = Decoder(bare(model), caption_features, mask, guidance, whole=True).first()
    return filtered_probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p)


@torch.no_grad()
def sample_tokens(
    model: nn.Module,
    caption_features: Tensor,
    mask: Tensor | None,
    seeds: Sequence[int],
    *,
    guidance: float = 7.5,
    temperature: float = 1.0,
    top_k: int = 1000,
    top_p: float = 1.0,
    rows: int | None = None,
    trim: bool = True,
) -> Tensor:
    """Draw the tokens of one picture a seed, all in one batch. Defaults: the official sample_t2i.py.

    A picture's random numbers come from its own seed alone. What is left of the batch's influence is rounding
    (other matrix shapes, other kernels); `rows` removes that too, by always computing that many pictures.

    Args:
        model: a LlamaGen, also wrapped by peft. Its train or eval mode is as before afterwards.
        caption_features: (1, n, caption_dim) for all pictures, or (len(seeds), n, caption_dim).
        mask: (1 or len(seeds), n), non-zero for a valid slot; None when all are valid.
        seeds: one a picture.
        guidance: at least 1; 1 leaves the null caption out and halves the work.
        temperature: 0 takes the likeliest token (`top_k`, `top_p` and the seeds then play no part).
        top_k: 0 keeps all tokens. top_p: 1 keeps all tokens.
        rows: pad the batch to this many pictures; at least len(seeds).
        trim: drop caption slots that are padding in every row, and attend to filled slots of the cache only
            (exact). False computes in the official shapes, which decides between tokens that are equally
            likely up to rounding.

    Returns:
        (len(seeds), block_size) int64 on the model's device.

    Raises:
        ValueError: settings outside the above.
    """
    count = len(seeds)
    rows = count if rows is None else rows
    _check_settings(count, rows, len(caption_features), guidance, temperature, top_k, top_p)
    inner = bare(model)
    device, length = inner.output.weight.device, inner.config.block_size
    features, mask = _spread(caption_features, rows), None if mask is None else _spread(mask, rows)
    if trim:
        features, mask = trim_caption(features, mask)
    padded = [*seeds, *([seeds[-1]] * (rows - count))]
    uniforms = None if temperature == 0 else _streams(padded, length).to(device)

    def choose(logits: Tensor, place: Tensor) -> Tensor:
        if uniforms is None:
            return logits.argmax(dim=-1)
        kept = filtered_probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p)
        return draw(kept, uniforms.index_select(1, place)[:, 0])

    graph = inner.output.weight.is_cuda
    mask = None if mask is None else mask.to(device)
    with evaluating(model):
        decoder = Decoder(inner, features.to(device), mask, guidance, whole=graph or not trim)
        drawn = decode_by_graph(decoder, choose) if graph else decode(decoder, choose)
    return drawn[:count]


def _spread(values: Tensor, rows: int) -> Tensor:
    """Repeat the last row until there are `rows`."""
    return torch.cat([values, values[-1:].expand(rows - len(values), *values.shape[1:])])


def _check_settings(
    count: int, rows: int, captions: int, guidance: float, temperature: float, top_k: int, top_p: float
) -> None:
    rules = (
        (count > 0, "seeds", count, "at least one"),
        (captions in (1, count), "captions", captions, f"1 or {count}, the number of seeds"),
        (rows >= count, "rows", rows, f"at least {count}, the number of seeds"),
        (guidance >= 1, "guidance", guidance, "at least 1"),
        (temperature >= 0, "temperature", temperature, "at least 0"),
        (top_k >= 0, "top_k", top_k, "at least 0"),
        (0 < top_p <= 1, "top_p", top_p, "above 0, at most 1"),
    )
    for holds, name, given, allowed in rules:
        if not holds:
            raise ValueError(f"{name} = {given} given for sampling; allowed: {allowed}")
