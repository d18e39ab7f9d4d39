"""The bytes that sampling one token reads: the floor of its time where memory is the limit."""

from __future__ import annotations

from typing import Any

from torch import nn

from proxytune.student.decoding import WINDOW_STEP

# Ends of the names of layers that are not computed for a token: they read the caption, once an image.
_CAPTION = ("cls_embedding",)


def token_bytes(transformer: nn.Module, rows: int, tokens: int) -> int:
    """Count the bytes that one token of all rows reads: weights, and on average half of the cache.

    Args:
        transformer: of a student.
        rows: of the batch, guidance included.
        tokens: of an image; the cache grows to so many positions, and is read in steps of several.
    """
    weights = 0
    width = 2
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Linear) and not any(part in name for part in _CAPTION):
            width = module.weight.element_size()
            weights += module.weight.numel() * width
    layers, heads_width = _cache_shape(transformer)
    return weights + rows * layers * 2 * heads_width * ((tokens + WINDOW_STEP) // 2) * width


def _cache_shape(transformer: Any) -> tuple[int, int]:
    """The number of layers, and the width of one position's keys."""
    config = transformer.config
    if hasattr(config, "n_layer"):
        return config.n_layer, config.kv_heads * config.head_dim
    text = getattr(config, "text_config", config)
    head = text.hidden_size // text.num_attention_heads
    return text.num_hidden_layers, text.num_key_value_heads * head
