"""Plain causal attention in transformers' models, without waiting for the device.

Given neither mask nor cache, transformers asks the device whether positions jump (whether several sequences
are packed into a row), to leave the mask out where they do not. Ours never jump. The question alone makes
every step wait, so it is answered beforehand: transformers makes no mask for an attention whose name it
cannot make one for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NAME = "proxytune_causal"
# The same function as under transformers' own name, so the same numbers.
AttentionInterface.register(NAME, sdpa_attention_forward)


@contextmanager
def plainly_causal(config: Any, *, when: bool) -> Iterator[None]:
    """Keep the model from making a mask while inside: every position attends to itself and all before it.

    Args:
        config: that the model's layers read; its attention must be torch's (`sdpa`), else nothing is changed.
        when: False changes nothing, as where a mask is given.
    """
    before = config._attn_implementation
    if not when or before != "sdpa":
        yield
        return
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before
