"""Lumina-mGPT: transformers' Chameleon, corrected so that it learns and generates images.

Differences of transformers 5.24 from the official code (commit 104abe45):

- its forward sets the logits of all image codes to the smallest number: their loss is infinite;
- its norms of queries and keys hold a row for each head, the official ones a row for all heads of a shard
  (see `weights.expand_norms`);
- it has no dropout on the two branches of a layer;
- it has an encoder of images. Ours, which can also decode, is separate from the transformer (`vq`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import ChameleonConfig, ChameleonForConditionalGeneration
from transformers.cache_utils import Cache
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.chameleon.modeling_chameleon import ChameleonDecoderLayer

from proxytune.student.attention import plainly_causal
from proxytune.student.cross_entropy import linear_cross_entropy
from proxytune.training.transfer import to_device

# Of the official training (exps/7B.sh), where a config does not give them.
DROPOUT, Z_LOSS_WEIGHT = 0.05, 1e-5
IGNORED = -100


def chameleon_config(values: Mapping[str, Any]) -> ChameleonConfig:
    """Read the values of Lumina-mGPT's config.json.

    `dropout` and `z_loss_weight`, which transformers does not know, get the official training's values where
    they are missing.

    Raises:
        ValueError: a model this class does not compute.
    """
    if values.get("swin_norm"):
        raise ValueError("swin_norm = true given; allowed: false, as in the models of 7B")
    if not values.get("vocabulary_map"):
        raise ValueError("vocabulary_map is missing; allowed: name -> id of the whole vocabulary")
    given = {"dropout": DROPOUT, "z_loss_weight": Z_LOSS_WEIGHT, **values}
    for name in (
        "architectures",
        "torch_dtype",
        "dtype",
        "transformers_version",
        "_name_or_path",
        "auto_map",
    ):
        given.pop(name, None)
    return ChameleonConfig(**given)


class LuminaLayer(ChameleonDecoderLayer):
    """A Chameleon layer with dropout on its two branches."""

    def __init__(self, config: ChameleonConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        self.dropout = float(config.dropout)

    def forward(self, hidden_states: Tensor, **given: Any) -> tuple[Tensor]:
        """Map (B, S, hidden_size) to the same shape; `given` goes to the attention."""
        mixed, _ = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **given)
        hidden_states = hidden_states + F.dropout(mixed, self.dropout, self.training)
        mixed = self.mlp(self.post_attention_layernorm(hidden_states))
        return (hidden_states + F.dropout(mixed, self.dropout, self.training),)


class Lumina(ChameleonForConditionalGeneration):
    """The transformer; the state dict has the official keys, without any of an image tokenizer."""

    # Attention only: so the paper's trainable parameters count (142.6 M, about rank 128 on these four).
    lora_targets = ("q_proj", "k_proj", "v_proj", "o_proj")
    lora_choices = {"qkv": lora_targets[:3], "attention": lora_targets}

    def __init__(self, config: ChameleonConfig) -> None:
        super().__init__(config)
        self.model.vqmodel = None
        self.model.layers = nn.ModuleList(
            LuminaLayer(config, index) for index in range(config.num_hidden_layers)
        )
        self.post_init()

    @property
    def norm_heads(self) -> dict[str, int]:
        """Number of rows of the norms of queries and keys: see `weights.expand_norms`."""
        return {"q_norm": self.config.num_attention_heads, "k_norm": self.config.num_key_value_heads}

    def hidden(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Run the layers.

        Args:
            ids: (B, S) int64.
            mask: (B, 1, S, keys) bool, True where a query attends to a key; None is plain causal attention.
            positions: (B, S), each row's own; None counts from 0.
            cache: keys and values of what came before; receives those of these ids.

        Returns:
            (B, S, hidden_size), after the last norm.
        """
        given = {"attention_mask": mask, "position_ids": positions, "cache": cache}
        with plainly_causal(self.config, when=mask is None and cache is None):
            hidden: Tensor = self.model(input_ids=ids, use_cache=cache is not None, **given)[0]
        return hidden

    def forward(self, input_ids: Tensor | None = None, **given: Any) -> CausalLMOutputWithPast:
        """Compute as transformers' forward, for its generation, but leave the logits of image codes alone."""
        labels, keep = given.pop("labels", None), given.pop("logits_to_keep", 0)
        given.pop("return_dict", None)
        outputs = self.model(input_ids=input_ids, return_dict=True, **given)
        hidden = outputs.last_hidden_state
        kept = slice(-keep, None) if isinstance(keep, int) else keep
        loss = None if labels is None else self._loss(hidden, labels)
        logits = self.lm_head(hidden[:, kept])
        return CausalLMOutputWithPast(loss=loss, logits=logits, cache=outputs.get("cache"))

    def loss(
        self,
        ids: Tensor,
        labels: Tensor,
        *,
        z_weight: float | None = None,
        weights: Tensor | None = None,
    ) -> Tensor:
        """The official training's loss: cross-entropy and z-loss, means over the labelled positions.

        Args:
            ids: (B, S) int64, short rows padded on the right.
            labels: (B, S) int64, the id itself where it is to be learned, -100 elsewhere; shifted here. On
                the CPU, where it is known without waiting which positions have one.
            z_weight: the z-loss's; None takes the config's.
            weights: (B, S) of the labels' errors, on the CPU; None weighs all alike.

        Returns:
            A scalar, in nats per id.
        """
        return self._loss(self.hidden(ids), labels, z_weight, weights)

    def _loss(
        self,
        hidden: Tensor,
        labels: Tensor,
        z_weight: float | None = None,
        weights: Tensor | None = None,
    ) -> Tensor:
        wanted = labels[:, 1:]
        rows, columns = (wanted != IGNORED).nonzero(as_tuple=True)
        share = torch.full((len(rows),), 1 / max(1, len(rows)))
        if weights is not None:
            share = share * weights[:, 1:][rows, columns]
        wanted, rows, columns, share = (
            to_device(each, hidden.device) for each in (wanted[rows, columns], rows, columns, share)
        )
        hidden = hidden[rows, columns]
        # All logits at once would take 630 MB per image in float32, and as much for their gradient.
        return linear_cross_entropy(
            hidden,
            self.lm_head.weight,
            wanted,
            share,
            z_weight=float(self.config.z_loss_weight) if z_weight is None else z_weight,
        )
