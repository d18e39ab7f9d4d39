"""The official way to train and sample LlamaGen, as a plain reference to measure against.

Written for this project from what the official code (commit ce98ec41) does, step by step:

- a caption always takes all of its 120 slots, padded on the left; attention takes a mask in every layer;
- logits are computed for every slot, the captions' too, and cut afterwards; cross-entropy takes all at once;
- keys and values pass through a repetition over head groups, also where a group is a single head;
- sampling attends, for every token, to the cache's whole length by plain matrix products;
- guidance is one batch, the filter sorts out the top k, one global random stream rng.

It runs over the modules of our own `LlamaGen`, also with peft's layers in them, so that both sides compute
the same numbers from the same weights; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from proxytune.student.families.llamagen import LlamaGen


@dataclass
class _Cache:
    """Keys and values of one layer, (rows, heads, length, head_dim)."""

    keys: Tensor
    values: Tensor


def train_loss(
    model: LlamaGen, tokens: Tensor, caption: Tensor, caption_mask: Tensor, dropped: Tensor
) -> Tensor:
    """Mean cross-entropy of whole pictures.

    Args:
        tokens: (B, block_size) int64.
        caption: (B, cls_token_num, caption_dim), left padded with zeros; caption_mask: (B, cls_token_num).
        dropped: (B,) bool, rows with the null caption.
    """
    slots, device = model.config.cls_token_num, tokens.device
    null = model.cls_embedding.uncond_embedding
    caption = torch.where(dropped[:, None, None], null, caption)
    slots_in = torch.cat([model.cls_embedding.cap_proj(caption), model.tok_embeddings(tokens[:, :-1])], dim=1)
    length = slots_in.shape[1]
    mask = _whole_mask(caption_mask, length)[:, None]
    table = _rotation(model, device)[:length]
    hidden = model.tok_dropout(slots_in)
    for layer in model.layers:
        hidden = _layer(layer, hidden, table, mask, None, None)
    logits = model.output(_norm(model.norm, hidden)).float()[:, slots - 1 :].contiguous()
    per_token = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none")
    weight = torch.ones_like(tokens, dtype=torch.float32).flatten()
    return (per_token * weight).sum() / weight.sum()


@torch.no_grad()
def sample(
    model: LlamaGen,
    caption: Tensor,
    caption_mask: Tensor,
    *,
    guidance: float = 7.5,
    temperature: float = 1.0,
    top_k: int = 1000,
) -> Tensor:
    """Draw (B, block_size) tokens from torch's global random state; temperature 0 takes the likeliest.

    Args:
        model: in eval mode.
        caption: (B, cls_token_num, caption_dim), left padded with zeros; caption_mask: (B, cls_token_num).
    """
    slots, count, device = caption.shape[1], model.config.block_size, caption.device
    length = -(-(slots + count) // 8) * 8
    null = model.cls_embedding.uncond_embedding.expand_as(caption)
    rows = torch.cat([caption, null])
    shape = (len(rows), model.config.n_head, length, model.config.head_dim)
    like: dict[str, Any] = {"device": device, "dtype": model.tok_embeddings.weight.dtype}
    caches = [_Cache(torch.zeros(shape, **like), torch.zeros(shape, **like)) for _ in model.layers]
    mask = _whole_mask(torch.cat([caption_mask, caption_mask]), length)
    table = _rotation(model, device)
    places = torch.arange(slots, device=device)
    hidden, drawn = model.cls_embedding.cap_proj(rows), []
    while True:
        for layer, cache in zip(model.layers, caches, strict=True):
            with sdpa_kernel(SDPBackend.MATH):
                hidden = _layer(layer, hidden, table[places], mask[:, None, places], cache, places)
        logits = model.output(_norm(model.norm, hidden)).float()
        conditional, unconditional = logits.chunk(2)
        guided = (unconditional + (conditional - unconditional) * guidance)[:, -1]
        drawn.append(_draw(guided, temperature, top_k))
        if len(drawn) == count:
            return torch.cat(drawn, dim=1)
        places = places[-1:] + 1
        hidden = model.tok_embeddings(drawn[-1].repeat(2, 1))


def _draw(logits: Tensor, temperature: float, top_k: int) -> Tensor:
    if temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    logits = logits / temperature
    below = logits < torch.topk(logits, top_k)[0][:, -1:]
    logits[below] = -torch.inf
    return torch.multinomial(logits.softmax(dim=-1), 1)


def _whole_mask(caption_mask: Tensor, length: int) -> Tensor:
    """(B, length, length): causal, no padded caption slot as a key, every slot open to itself."""
    slots = caption_mask.shape[1]
    device = caption_mask.device
    mask = torch.ones(length, length, dtype=torch.bool, device=device).tril().repeat(len(caption_mask), 1, 1)
    mask[:, :, :slots] &= caption_mask.bool()[:, None]
    return mask | torch.eye(length, dtype=torch.bool, device=device)


def _rotation(model: LlamaGen, device: torch.device) -> Tensor:
    return model.rotation(model.config.cls_token_num, device)


def _layer(
    layer: Any, x: Tensor, table: Tensor, mask: Tensor, cache: _Cache | None, places: Tensor | None
) -> Tensor:
    attention, feed = layer.attention, layer.feed_forward
    mixed = _attend(attention, _norm(layer.attention_norm, x), table, mask, cache, places)
    x = x + attention.resid_dropout(attention.wo(mixed))
    inner = _norm(layer.ffn_norm, x)
    return x + feed.ffn_dropout(feed.w2(F.silu(feed.w1(inner)) * feed.w3(inner)))


def _attend(
    attention: Any, x: Tensor, table: Tensor, mask: Tensor, cache: _Cache | None, places: Tensor | None
) -> Tensor:
    width = attention.head_dim
    split = [attention.heads * width, attention.kv_heads * width, attention.kv_heads * width]
    query, key, value = (part.unflatten(-1, (-1, width)) for part in attention.wqkv(x).split(split, dim=-1))
    query, key, value = (part.transpose(1, 2) for part in (_turn(query, table), _turn(key, table), value))
    if cache is not None:
        cache.keys[:, :, places], cache.values[:, :, places] = key, value
        key, value = cache.keys, cache.values
    group = attention.heads // attention.kv_heads
    key, value = key.repeat_interleave(group, dim=1), value.repeat_interleave(group, dim=1)
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return mixed.transpose(1, 2).flatten(2)


def _norm(norm: Any, x: Tensor) -> Tensor:
    wide = x.float()
    scaled = wide * torch.rsqrt(torch.mean(wide * wide, dim=-1, keepdim=True) + norm.eps)
    return scaled.type_as(x) * norm.weight


def _turn(x: Tensor, table: Tensor) -> Tensor:
    """Rotate neighbouring pairs of (B, S, heads, head_dim) by the table's angles."""
    first, second = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = table[None, :, None].unbind(-1)
    turned = torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1)
    return turned.flatten(-2).type_as(x)
