"""The student: LlamaGen's transformer and a T5 encoder, trained together on the tokenizer's codes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from dev.pretraining.corpus import Corpus
from dev.pretraining.texts import Captions
from dev.pretraining.tokenizers import domain_words, t5_word_tokenizer
from dev.pretraining.vq import CODES
from proxytune.student.families.llamagen import LlamaGen, LlamaGenConfig, clean_for_model
from proxytune.student.families.llamagen.captions import pad_left

# Official number of caption slots, and the width of the features.
SLOTS, TEXT_WIDTH = 120, 128
DROPPED = 0.1
EVALUATED = 512

CONFIG = LlamaGenConfig(
    dim=224,
    n_layer=6,
    n_head=7,
    multiple_of=32,
    # Eight places along a side: with the official 10000 most channels would not turn at all.
    rope_base=100.0,
    # Less than three passes over the corpus: there is no overfitting that dropout could prevent.
    token_dropout_p=0.0,
    resid_dropout_p=0.0,
    ffn_dropout_p=0.0,
    caption_dim=TEXT_WIDTH,
    cls_token_num=SLOTS,
    vocab_size=CODES,
    block_size=64,
)


def make_tokenizer() -> Any:
    """T5's tokenizer over the domain's words."""
    return t5_word_tokenizer(domain_words(), SLOTS)


def make_text_encoder(tokenizer: Any) -> Any:
    """A T5 encoder with fresh weights, in flan-t5's form."""
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=TEXT_WIDTH,
            d_kv=32,
            d_ff=2 * TEXT_WIDTH,
            num_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


class StudentTrainable:
    """A `loop.Trainable`.

    Args:
        tokens: (N, 64) codes of the corpus.
    """

    def __init__(self, corpus: Corpus, tokens: Tensor, captions: Captions, batch: int) -> None:
        tokenizer = make_tokenizer()
        gpt = LlamaGen(CONFIG)
        self.module: nn.Module = nn.ModuleDict({"gpt": gpt, "text": make_text_encoder(tokenizer)})
        self._corpus, self._tokens, self._captions, self._batch = corpus, tokens, captions, batch
        cleaned = [clean_for_model(text) for text in captions.texts]
        padded = tokenizer(cleaned, padding=True, truncation=True, return_tensors="pt")
        self._ids, self._mask = padded["input_ids"], padded["attention_mask"]

    def loss(self, step: int, rng: torch.Generator) -> Tensor:
        """Cross-entropy a code, in nats; some pictures without their caption."""
        numbers = self._corpus.sample(self._batch, rng)
        captions = self._captions.sample(self._corpus, numbers, rng)
        dropped = torch.rand(self._batch, generator=rng) < DROPPED
        return self._error(self.module, numbers, captions, dropped)

    def evaluate(self, module: nn.Module) -> dict[str, float]:
        """The same on held-out pictures, all with their full caption."""
        errors = []
        for numbers in self._corpus.held_out[:EVALUATED].split(64):
            captions = self._captions.full(self._corpus, numbers)
            dropped = torch.zeros(len(numbers), dtype=torch.bool)
            errors.append(float(self._error(module, numbers, captions, dropped)) * len(numbers))
        return {"cross_entropy": sum(errors) / len(self._corpus.held_out[:EVALUATED])}

    def _error(self, module: Any, numbers: Tensor, captions: Tensor, dropped: Tensor) -> Tensor:
        features, mask = encode_ids(module["text"], self._ids[captions], self._mask[captions])
        # Two products and a softmax: the fused attention has a slow gradient in bfloat16 on a CPU.
        with sdpa_kernel(SDPBackend.MATH):
            error: Tensor = module["gpt"].loss(self._tokens[numbers].long(), features, mask, dropped)
        return error


def encode_ids(text_encoder: Any, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Encode captions as `CaptionEncoder.encode` and `trim_caption` do, with gradient, without the padding.

    Args:
        ids, mask: (B, n), padded on the right.

    Returns:
        Features (B, longest, width) and mask (B, longest), padded on the left.
    """
    longest = int(mask.sum(dim=1).max())
    ids, mask = ids[:, :longest], mask[:, :longest]
    hidden = text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
    return pad_left(hidden, mask)
