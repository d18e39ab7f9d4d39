"""From logits to tokens, for every family: settings, guidance, filters, and a random stream per image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

Value = TypeVar("Value")

# From guided logits (images, V) and the index of the token, a tensor (1,) on their device, to the tokens
# (images,) int64. Its caller does not wait for the device between two tokens, so it should not either.
Choose = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class SamplingSettings:
    """The settings of one batch.

    An image's random numbers come from its own seed alone. The rest of the batch's influence is rounding
    (other matrix shapes, other kernels); `rows` removes that too, by always computing as many images.

    Attributes:
        guidance: at least 1; 1 leaves the rows without prompt out and halves the work.
        temperature: 0 takes the likeliest token (`top_k`, `top_p` and the seeds then play no part).
        top_k: 0 keeps all tokens.
        top_p: 1 keeps all tokens.
        rows: pad the batch to this many images; None computes those of the seeds only.
    """

    guidance: float
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    rows: int | None = None

    def checked_rows(self, *, seeds: int, prompts: int, one_for_all: str | None = None) -> int:
        """Refuse settings that mean nothing; return how many images are computed.

        Args:
            seeds, prompts: how many there are; they pair.
            one_for_all: the name of the prompts where a single one may serve all images.

        Raises:
            ValueError: naming the setting, its value and what is allowed.
        """
        rows = seeds if self.rows is None else self.rows
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
            (self.guidance >= 1, "guidance", self.guidance, "at least 1"),
            (self.temperature >= 0, "temperature", self.temperature, "at least 0"),
            (self.top_k >= 0, "top_k", self.top_k, "at least 0"),
            (0 < self.top_p <= 1, "top_p", self.top_p, "above 0, at most 1"),
        )
        for holds, name, value, allowed in rules:
            if not holds:
                raise ValueError(f"{name} = {value} given for sampling; allowed: {allowed}")
        return rows

    def chooser(self, seeds: Sequence[int], length: int, device: torch.device) -> Choose:
        """Return the choice of each image's tokens, from its own random stream or of the likeliest.

        Args:
            seeds: one per row. length: tokens per image.
        """
        return chooser(
            seeds, length, device, temperature=self.temperature, top_k=self.top_k, top_p=self.top_p
        )


def guide(logits: Tensor, images: int, guidance: float) -> Tensor:
    """Combine the logits of rows with their prompt and of those without, which follow them.

    Args:
        logits: (images, V), which are left alone, or (2 * images, V).

    Returns:
        (images, V).
    """
    if len(logits) == images:
        return logits
    conditional, unconditional = logits.split(images)
    return unconditional + guidance * (conditional - unconditional)


def filtered_probabilities(
    logits: Tensor, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> Tensor:
    """Turn logits into the distribution that is sampled from.

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


def sample_rows(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Sample one token per row by inverting the cumulative distribution.

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
    """Return the choice of each image's tokens; see `SamplingSettings.chooser`."""
    uniforms = None if temperature == 0 else streams(seeds, length).to(device)

    def choose(logits: Tensor, index: Tensor) -> Tensor:
        if uniforms is None:
            return logits.argmax(dim=-1)
        kept = filtered_probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p)
        return sample_rows(kept, uniforms.index_select(1, index)[:, 0])

    return choose


def fill(values: Sequence[Value], rows: int) -> list[Value]:
    """Repeat the last value until there are `rows`."""
    return [*values, *[values[-1]] * (rows - len(values))]
