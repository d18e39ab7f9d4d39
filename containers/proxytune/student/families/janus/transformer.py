"""Janus-Pro's transformer: transformers' classes, less what does not draw, with the loss of picture codes.

transformers' own loss is that of its output layer for words, and its `generate` draws one after the other
from the global random state: here codes have their loss, and `sampling` draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import JanusConfig, JanusForConditionalGeneration
from transformers.cache_utils import Cache

from proxytune.student.attention import plainly_causal
from proxytune.student.cross_entropy import linear_cross_entropy
from proxytune.training.transfer import index_tensor


class Janus(JanusForConditionalGeneration):
    """The transformer; the state dict has transformers' keys, without those of the parts that do not draw."""

    # All products of the language model, as for LlamaGen. The whole name: in transformers' full model the
    # tower that looks at pictures has layers of the same last names.
    lora_targets = r".*language_model\..*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"

    def __init__(self, config: JanusConfig) -> None:
        super().__init__(config)
        for part in ("vision_model", "aligner", "vqmodel"):
            setattr(self.model, part, None)
        self.lm_head = None

    @property
    def codes_a_picture(self) -> int:
        """576 for 384 x 384 pixels."""
        return int(self.config.vq_config.num_patches) ** 2

    def embed_text(self, ids: Tensor) -> Tensor:
        """What the layers take for (B, S) ids of the tokenizer."""
        embedded: Tensor = self.model.language_model.embed_tokens(ids)
        return embedded

    def embed_codes(self, codes: Tensor) -> Tensor:
        """What the layers take for (B, S) codes."""
        embedded: Tensor = self.prepare_embeddings_for_image_generation(codes)
        return embedded

    def hidden(
        self,
        embedded: Tensor,
        *,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Run the layers.

        Args:
            embedded: (B, S, hidden_size).
            mask: (B, 1, S, keys) bool, True where a query attends to a key; None is plain causal attention.
            positions: (B, S), each row's own; None counts from 0.
            cache: keys and values of what came before; receives those of this.

        Returns:
            (B, S, hidden_size), after the last norm.
        """
        with plainly_causal(self.model.language_model.config, when=mask is None and cache is None):
            outputs = self.model.language_model(
                inputs_embeds=embedded,
                attention_mask=mask,
                position_ids=positions,
                cache=cache,
                use_cache=cache is not None,
            )
        hidden: Tensor = outputs.last_hidden_state
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """The logits (..., codes) of the code after each place."""
        scores: Tensor = self.model.generation_head(hidden)
        return scores

    def hidden_before(self, prompts: Sequence[Sequence[int]], codes: Tensor) -> Tensor:
        """What the layers make of the place before each code, (B, codes a picture, hidden_size).

        Args:
            prompts: the ids before each picture.
            codes: (B, codes a picture) on the model's device.
        """
        count, lengths = codes.shape[1], [len(prompt) for prompt in prompts]
        shown = self.embed_codes(codes[:, :-1])
        # All prompts in one row, as one message to the device; their lengths are known here.
        words = self.embed_text(index_tensor([place for prompt in prompts for place in prompt], codes.device))
        rows = [torch.cat(pair) for pair in zip(words.split(lengths), shown, strict=True)]
        # Short rows are filled on the right, behind all that is learnt: nothing there is ever attended to.
        hidden = self.hidden(pad_sequence(rows, batch_first=True))
        pairs = zip(hidden, lengths, strict=True)
        return torch.stack([row[length - 1 : length - 1 + count] for row, length in pairs])

    def loss(self, prompts: Sequence[Sequence[int]], codes: Tensor) -> Tensor:
        """Mean cross-entropy of the codes of some pictures, a scalar in nats a code.

        Args:
            prompts: the ids before each picture.
            codes: (B, codes a picture) on the model's device.
        """
        head = self.model.generation_head
        hidden = self.hidden_before(prompts, codes).flatten(0, 1)
        share = torch.full((codes.numel(),), 1 / codes.numel(), device=codes.device)
        return linear_cross_entropy(
            head.activation_fn(head.proj_out(hidden)),
            head.vision_head.weight,
            codes.flatten(),
            share,
            bias=head.vision_head.bias,
        )
