"""The official way to train and sample Lumina-mGPT, as a plain reference to measure against.

Written for this project from what the official code (commit 104abe45) does, step by step:

- training computes the logits of the whole vocabulary for every id of the sequence, in float32, and takes
  cross-entropy and z-loss from them; attention takes a mask in every layer;
- pictures are drawn one after another; guidance is a second pass with a cache of its own;
- every id is asked for, those that the grammar forces too, over the whole vocabulary; the caches grow;
- the program looks at each id before it asks for the next, which on a GPU is a wait.

It runs over our own `Lumina`, also with peft's layers in it, so that both sides compute the same numbers from
the same weights; a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.cache_utils import DynamicCache

from proxytune.student.families.lumina.layout import Grid, Layout
from proxytune.student.families.lumina.transformer import IGNORED, Lumina


def train_loss(model: Lumina, ids: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy and z-loss.

    Args:
        ids, labels: (B, S) int64, as `Lumina.loss` takes them.
    """
    length = ids.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
    hidden = model.hidden(ids, mask=causal.expand(len(ids), 1, length, length))
    logits = model.lm_head(hidden).float()[:, :-1].flatten(0, 1)
    wanted = labels[:, 1:].flatten()
    loss = F.cross_entropy(logits, wanted, ignore_index=IGNORED)
    spread = torch.logsumexp(logits[wanted != IGNORED], dim=-1).square().mean()
    return loss + float(model.config.z_loss_weight) * spread


@torch.no_grad()
def sample(
    model: Lumina,
    layout: Layout,
    prompts: Sequence[Sequence[int]],
    grid: Grid,
    *,
    guidance: float,
    temperature: float = 1.0,
    top_k: int = 2000,
) -> Tensor:
    """The codes (pictures, grid.tokens) of one picture a prompt.

    Args:
        temperature: 0 takes the likeliest code.
    """
    blocks = [_picture(model, layout, prompt, grid, guidance, temperature, top_k) for prompt in prompts]
    return layout.tokens(torch.tensor(blocks), grid)


def _picture(
    model: Lumina,
    layout: Layout,
    prompt: Sequence[int],
    grid: Grid,
    guidance: float,
    temperature: float,
    top_k: int,
) -> list[int]:
    device, header = model.lm_head.weight.device, layout.header(grid)
    allowed = torch.zeros(model.config.vocab_size, dtype=torch.bool, device=device)
    allowed[torch.tensor(layout.vocabulary.codes, device=device)] = True
    fed = [torch.tensor([[*prompt, *header]], device=device), torch.tensor([header], device=device)]
    caches = [DynamicCache(config=model.config) for _ in fed]
    block = list(header)
    while len(block) < grid.block:
        logits = [
            model.lm_head(_last(model, ids, cache)).float() for ids, cache in zip(fed, caches, strict=True)
        ]
        mixed = logits[1] + guidance * (logits[0] - logits[1])
        forced = layout.forced(len(block) - len(header), grid)
        one = _choose(mixed, allowed, temperature, top_k) if forced is None else forced
        block.append(one)
        fed = [torch.tensor([[one]], device=device)] * 2
    return block


def _last(model: Lumina, ids: Tensor, cache: DynamicCache) -> Tensor:
    """Compute the hidden state of the last id; earlier ids are in the cache."""
    past = cache.get_seq_length()
    places = torch.arange(past + ids.shape[1], device=ids.device)
    mask = (places <= places[past:, None])[None, None]
    return model.hidden(ids, mask=mask, positions=places[None, past:], cache=cache)[:, -1]


def _choose(logits: Tensor, allowed: Tensor, temperature: float, top_k: int) -> int:
    logits = logits.masked_fill(~allowed, float("-inf"))
    if temperature == 0:
        return int(logits.argmax())
    logits = logits / temperature
    least = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]
    odds = logits.masked_fill(logits < least, float("-inf")).softmax(dim=-1)
    return int(torch.multinomial(odds, 1))
