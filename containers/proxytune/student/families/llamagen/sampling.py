"""Drawing picture tokens: filters, and a random stream for each picture; `decoding` has the steps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from proxytune.student import modules
from proxytune.student.families.llamagen.decoding import Decoder, decode, decode_by_graph
from proxytune.student.families.llamagen.transformer import LlamaGen, trim_caption
from proxytune.student.modules import evaluating
from proxytune.student.packing import packed
from proxytune.student.sampling import check_settings, chooser, filled, filtered_probabilities


def bare(model: nn.Module) -> LlamaGen:
    """Return the LlamaGen inside a peft wrapper (adapters stay in effect), or the model itself."""
    inner = modules.bare(model)
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
    check_settings(
        seeds=count,
        prompts=len(caption_features),
        rows=rows,
        guidance=guidance,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        one_for_all="captions",
    )
    inner = bare(model)
    device, length = inner.output.weight.device, inner.config.block_size
    features, mask = _spread(caption_features, rows), None if mask is None else _spread(mask, rows)
    if trim:
        features, mask = trim_caption(features, mask)
    seeds = filled(seeds, rows)
    choose = chooser(seeds, length, device, temperature=temperature, top_k=top_k, top_p=top_p)
    graph = inner.output.weight.is_cuda
    mask = None if mask is None else mask.to(device)
    with evaluating(model), packed(inner) if trim else nullcontext():
        decoder = Decoder(inner, features.to(device), mask, guidance, whole=graph or not trim)
        drawn = decode_by_graph(decoder, choose) if graph else decode(decoder, choose)
    return drawn[:count]


def _spread(values: Tensor, rows: int) -> Tensor:
    """Repeat the last row until there are `rows`."""
    return torch.cat([values, values[-1:].expand(rows - len(values), *values.shape[1:])])
