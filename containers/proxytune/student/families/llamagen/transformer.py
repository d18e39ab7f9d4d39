"""The text-conditional LlamaGen GPT: official key names, official numbers, any number of caption slots.

The official model puts 120 left-padded caption slots before the image tokens. Here a caption may have
fewer: padded slots are never attended and their rotation is zero wherever they stand, so dropping them
changes nothing but the time (`trim_caption`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from proxytune.student.cross_entropy import linear_cross_entropy
from proxytune.student.families.llamagen.config import LlamaGenConfig
from proxytune.student.families.llamagen.layers import (
    Block,
    CaptionEmbedder,
    KVCache,
    RMSNorm,
    image_rotation,
)


def trim_caption(features: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Drop the leading slots that are padding in every row.

    Args:
        features: (B, n, caption_dim), left padded.
        mask: (B, n), 1 for a valid slot; None when all are valid.

    Returns:
        The features with as many slots as the longest caption, and their mask, None when no padding is left.

    Raises:
        ValueError: a row without any valid slot, or one padded on the right.
    """
    if mask is None:
        return features, None
    valid = mask.bool()
    lengths = valid.sum(dim=1)
    if int(lengths.min()) == 0:
        raise ValueError("a caption has no valid slot; allowed: at least one (T5 always ends with </s>)")
    if bool((valid[:, :-1] & ~valid[:, 1:]).any()):
        raise ValueError("a caption is padded on the right; allowed: padding on the left only")
    longest = int(lengths.max())
    trimmed = mask[:, -longest:]
    return features[:, -longest:], None if bool(valid[:, -longest:].all()) else trimmed


def attention_mask(caption_mask: Tensor, length: int) -> Tensor:
    """Build the mask of a sequence of `length` slots whose first ones are left-padded captions.

    Causal, without padded caption keys; the diagonal stays open, since a row that attends to nothing is NaN.

    Args:
        caption_mask: (B, n), non-zero for a valid slot.
        length: n plus the number of image tokens.

    Returns:
        (B, 1, length, length) bool, True where the query (row) attends to the key (column).
    """
    rows, slots = caption_mask.shape
    keys = torch.ones(rows, length, dtype=torch.bool, device=caption_mask.device)
    keys[:, :slots] = caption_mask.bool()
    causal = torch.ones(length, length, dtype=torch.bool, device=caption_mask.device).tril()
    diagonal = torch.eye(length, dtype=torch.bool, device=caption_mask.device)
    return ((causal & keys[:, None, :]) | diagonal)[:, None]


class LlamaGen(nn.Module):
    """A decoder-only transformer over caption slots and image tokens (LlamaGen commit ce98ec41)."""

    lora_targets = ("wqkv", "wo", "w1", "w2", "w3")
    # Queries, keys and values are one product here, so that one pair of matrices adapts all three.
    lora_choices = {"qkv": ("wqkv",), "attention": ("wqkv", "wo")}

    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.config = config
        self.cls_embedding = CaptionEmbedder(config)
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.tok_dropout = nn.Dropout(config.token_dropout_p)
        last = max(config.n_layer - 1, 1)
        self.layers = nn.ModuleList(
            Block(config, drop_path=config.drop_path_rate * index / last) for index in range(config.n_layer)
        )
        self.norm = RMSNorm(config.dim, config.norm_eps)
        self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        # A plain attribute, as in the official model: neither a state-dict key nor rounded by .to(bfloat16).
        self._rotation = image_rotation(config)
        self._rotation_there = self._rotation
        # Activation checkpointing: layers keep only their input for the backward pass.
        self.recompute = False
        self._initialise()

    def _initialise(self) -> None:
        """Initialize the weights: normal everywhere, zero in the output, as the official training starts."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=self.config.initializer_range)
        nn.init.zeros_(self.output.weight)

    def rotation(self, slots: int, device: torch.device) -> Tensor:
        """Return the rotary table for `slots` caption slots and the complete image.

        Caption slots have cosine and sine zero, not the identity: their queries and keys vanish. This looks
        like a slip in the official code, but its weights were trained with it.

        Returns:
            (slots + block_size, head_dim / 2, 2) float32, cosine and sine.
        """
        if self._rotation_there.device != device:
            self._rotation_there = self._rotation.to(device)
        return F.pad(self._rotation_there, (0, 0, 0, 0, slots, 0))

    def embed_caption(self, caption: Tensor, drop_caption: Tensor | None = None) -> Tensor:
        """Project caption features to the model's width.

        Args:
            caption: (B, n, caption_dim), n at most `cls_token_num`.
            drop_caption: (B,) bool, rows whose caption is replaced by the null caption.

        Returns:
            (B, n, dim).

        Raises:
            ValueError: too many slots or another feature width.
        """
        slots, width = caption.shape[1:]
        if not 0 < slots <= self.config.cls_token_num or width != self.config.caption_dim:
            raise ValueError(
                f"caption features of {slots} slots x {width} given; allowed: 1 to "
                f"{self.config.cls_token_num} slots x {self.config.caption_dim}. "
                "Encode captions with this model's own text encoder."
            )
        return self.cls_embedding(caption, drop_caption)

    def run(
        self,
        embedded: Tensor,
        rotation: Tensor,
        mask: Tensor | None,
        cache: KVCache | None = None,
    ) -> Tensor:
        """Run the layers over embedded slots.

        Args:
            embedded: (B, S, dim) slots.
            rotation: (S, head_dim / 2, 2), the table's rows for these slots.
            mask: (B, 1, S, attended slots), True where a query attends to a key; without a cache the slots
                are these, with one those of its window. None is plain causal attention.
            cache: keys and values of the slots before these; receives theirs, where `KVCache.aim` says.

        Returns:
            (B, S, dim), the input of `logits`.
        """
        hidden = self.tok_dropout(embedded)
        for index, layer in enumerate(self.layers):
            given = (hidden, rotation, mask, None if cache is None else cache.layer(index))
            kept = not self.recompute or not torch.is_grad_enabled()
            hidden = layer(*given) if kept else checkpoint(layer, *given, use_reentrant=False)
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Map (..., dim) of `run` to (..., vocab_size) logits, float32."""
        return self.output(self.norm(hidden)).float()

    def forward(
        self,
        tokens: Tensor,
        caption: Tensor,
        caption_mask: Tensor | None = None,
        drop_caption: Tensor | None = None,
    ) -> Tensor:
        """Predict each image token from the caption and the tokens before it.

        Args:
            tokens: (B, T) int64, the first T image tokens, T < block_size.
            caption: (B, n, caption_dim) left-padded features.
            caption_mask: (B, n), non-zero for a valid slot; None when all are valid. It holds for rows with
                a dropped caption too, as in the official training.
            drop_caption: (B,) bool; None drops with `class_dropout_prob` in train mode, nothing in eval mode.

        Returns:
            (B, T + 1, vocab_size) float32 logits of tokens 0 .. T.

        Raises:
            ValueError: caption features or token counts this model cannot take.
        """
        return self.logits(self._predicting(tokens, caption, caption_mask, drop_caption))

    def _predicting(
        self, tokens: Tensor, caption: Tensor, caption_mask: Tensor | None, drop_caption: Tensor | None
    ) -> Tensor:
        """Return the output of `run` where an image token is predicted, (B, T + 1, dim); see `forward`."""
        count = tokens.shape[1]
        if count >= self.config.block_size:
            raise ValueError(
                f"{count} tokens given to predict from; allowed: at most {self.config.block_size - 1} "
                f"(block_size = {self.config.block_size} tokens per image, the last one is only predicted)"
            )
        if drop_caption is None and self.training and self.config.class_dropout_prob > 0:
            drop_caption = torch.rand(len(tokens), device=tokens.device) < self.config.class_dropout_prob
        prefix = self.embed_caption(caption, drop_caption)
        slots = prefix.shape[1]
        embedded = torch.cat([prefix, self.tok_embeddings(tokens)], dim=1)
        mask = None if caption_mask is None else attention_mask(caption_mask, slots + count)
        hidden = self.run(embedded, self.rotation(slots, embedded.device)[: slots + count], mask)
        # The caption's other slots predict nothing: no logits for them.
        return hidden[:, slots - 1 :]

    def loss(
        self,
        tokens: Tensor,
        caption: Tensor,
        caption_mask: Tensor | None = None,
        drop_caption: Tensor | None = None,
        valid: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Mean cross-entropy of complete images under their captions.

        Args:
            tokens: (B, block_size) int64 image tokens.
            caption: see `forward`. caption_mask, drop_caption: see `forward`.
            valid: (B,) weight of each image, 0 for those that only fill the batch; None counts all.
            weights: (B, block_size) of the tokens' errors; None weighs all alike.

        Returns:
            A scalar, in nats per token.
        """
        count = tokens.numel()
        if valid is None:
            share = torch.full((count,), 1 / count, device=tokens.device)
        else:
            weight = valid.float().repeat_interleave(tokens.shape[1])
            share = weight / weight.sum().clamp(min=1)
        if weights is not None:
            share = share * weights.flatten()
        hidden = self.norm(self._predicting(tokens[:, :-1], caption, caption_mask, drop_caption))
        return linear_cross_entropy(hidden.flatten(0, 1), self.output.weight, tokens.flatten().long(), share)
