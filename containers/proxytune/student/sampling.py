"""From logits to tokens, for every family: filters, draws, and a random stream for each picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

Value = TypeVar("Value")

# From guided logits (pictures, V) and the number of the token (a tensor (1,) on the device where a CUDA graph
# is recorded) to the tokens (pictures,) int64. From one token to the next what calls it does not wait for the
# device, so it should not.
Choose = Callable[[Tensor, int | Tensor], Tensor]


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


def streams(seeds: Sequence[int], length: int) -> Tensor:
    """Return (B, length) float64 uniforms, each row from its own CPU generator: the same on every device."""
    rows = [torch.rand(length, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(rows).double()


def chooser(
    seeds: Sequence[int],
    length: int,
    device: torch.device,
    *,
    temperature: float,
    top_k: int,
    top_p: float,
) -> Choose:
    """How each picture's tokens are chosen: from its own random stream, or the likeliest at temperature 0.

    Args:
        seeds: one a picture. length: tokens of a picture.
    """
    uniforms = None if temperature == 0 else streams(seeds, length).to(device)

    def choose(logits: Tensor, place: int | Tensor) -> Tensor:
        if uniforms is None:
            return logits.argmax(dim=-1)
        kept = filtered_probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p)
        here = uniforms[:, place] if isinstance(place, int) else uniforms.index_select(1, place)[:, 0]
        return draw(kept, here)

    return choose


def filled(values: Sequence[Value], rows: int) -> list[Value]:
    """Repeat the last one until there are `rows`."""
    return [*values, *[values[-1]] * (rows - len(values))]


def check_settings(
    *,
    seeds: int,
    prompts: int,
    rows: int,
    guidance: float,
    temperature: float,
    top_k: int,
    top_p: float,
    one_for_all: str | None = None,
) -> None:
    """Refuse settings that mean nothing.

    Args:
        seeds, prompts: how many of them are given; they pair.
        rows: pictures computed at once.
        one_for_all: what the prompts are called where a single one may serve all pictures.

    Raises:
        ValueError: naming the setting, what is given and what is allowed.
    """
    pairs = f"{seeds}, the number of seeds"
    rules = (
        (seeds > 0, "seeds", seeds, "at least one"),
        (
            prompts == seeds or (one_for_all is not None and prompts == 1),
            one_for_all or "prompts",
            prompts,
            pairs if one_for_all is None else f"1 or {pairs}",
        ),
        (rows >= seeds, "rows", rows, f"at least {seeds}, the number of seeds"),
        (guidance >= 1, "guidance", guidance, "at least 1"),
        (temperature >= 0, "temperature", temperature, "at least 0"),
        (top_k >= 0, "top_k", top_k, "at least 0"),
        (0 < top_p <= 1, "top_p", top_p, "above 0, at most 1"),
    )
    for holds, name, given, allowed in rules:
        if not holds:
            raise ValueError(f"{name} = {given} given for sampling; allowed: {allowed}")
