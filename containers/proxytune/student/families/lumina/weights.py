"""Weights between the official checkpoints and the transformer."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

_NORMS = ("q_norm.weight", "q_norm.bias", "k_norm.weight", "k_norm.bias")


def expand_norms(weights: Mapping[str, Tensor], heads: Mapping[str, int]) -> dict[str, Tensor]:
    """Give every head its own row of the norms of queries and keys.

    Officially a row serves all heads of a shard: (shards, head_dim), with one shard in the models of 7B.
    transformers wants (heads, head_dim), and would initialize missing rows at random. The
    result computes the same.

    Args:
        weights: a state dict, with norms of either form.
        heads: {"q_norm": number of heads, "k_norm": number of key and value heads}.

    Returns:
        The state dict with one row a head. Norms that no number of heads can share stay as they are.
    """
    expanded = dict(weights)
    for name, tensor in weights.items():
        if name.endswith(_NORMS):
            wanted = heads[name.split(".")[-2]]
            if wanted % len(tensor) == 0:
                expanded[name] = tensor.repeat_interleave(wanted // len(tensor), dim=0)
    return expanded
