"""Janus as a student family: what its training and its generation do of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from proxytune.student.families.base import Batch, Optimizer, StudentFamily
from proxytune.student.families.janus.checkpoint import Student, load_student
from proxytune.student.families.janus.sampling import sample_tokens
from proxytune.student.families.janus.transformer import Janus
from proxytune.student.modules import bare
from proxytune.training.transfer import to_device


class JanusFamily(StudentFamily):
    """A LoRA on the language model, which reads the prompt and predicts the tokens of the image."""

    # Betas and clipping of the official training, whose code is not published (arXiv 2410.13848); the weight
    # decay is LlamaGen's.
    optimizer = Optimizer(betas=(0.9, 0.95), weight_decay=0.05, clip=1.0)
    encode_batch_size = 8
    # An estimate, as the real tokenizer is not in this repository: the template takes some 10 ids, an
    # ordinary prompt 20. Longer ones only have batches of their own.
    prompt_step = 64

    _student: Student

    def load_parts(self, folder: Path, **options: Any) -> Janus:
        """Read the model folder."""
        self._student = load_student(folder, **options)
        return self._student.lm

    def encode_captions(self, captions: Sequence[str], prompts: Sequence[str], token_word: str) -> None:
        """Encode them as ids, and the padding that stands in for them where they are dropped."""
        encoder, known = self._student.prompts, {}
        for caption in captions:
            encoder.check_word(token_word, caption)
            known[caption] = encoder.encode(caption)
        self._prompts = [known[caption] for caption in prompts]
        self._dropped_prompts = [encoder.without_words(prompt) for prompt in self._prompts]

    def encode_images(self, images: Tensor) -> Tensor:
        """Encode by the VQ encoder."""
        return self._student.vq.encode_images(images)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Compute the loss under the prompts, or under what stands in for those that are dropped."""
        pairs = zip(batch.indices.tolist(), batch.dropped.tolist(), strict=True)
        prompts = [(self._dropped_prompts if drop else self._prompts)[index] for index, drop in pairs]
        weights = None if batch.weights is None else to_device(batch.weights, self._device)
        return bare(model, Janus).loss(prompts, to_device(batch.tokens, self._device), weights)

    def probe(self, tokens: Tensor) -> Callable[[Janus], Tensor]:
        """Compute the hidden states of the first proxy."""
        prompts, tokens = self._prompts[:1], tokens.to(self._device)
        return lambda lm: lm.hidden_before(prompts, tokens)

    def caption_lengths(self) -> list[int]:
        """Count the ids before each image."""
        return [len(prompt) for prompt in self._prompts]

    def prompt_length(self, prompt: str) -> int:
        """Count the ids before the image."""
        return len(self._student.prompts.encode(prompt))

    def generate_tokens(
        self, model: nn.Module, prompts: Sequence[str], seeds: Sequence[int], settings: dict[str, Any]
    ) -> Tensor:
        """Sample by the language model."""
        encoder = self._student.prompts
        encoded = [encoder.encode(prompt) for prompt in prompts]
        dropped = [encoder.without_words(prompt) for prompt in encoded]
        slots = self.padded_length(prompts[0])
        return sample_tokens(model, encoded, dropped, seeds, slots=slots, **settings)

    def decode(self, tokens: Tensor) -> Tensor:
        """Decode by the VQ decoder."""
        images: Tensor = self._student.vq.decode(tokens)
        return images
