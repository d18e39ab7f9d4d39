"""Lumina-mGPT as a student family: what its training and its generation do of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from proxytune.student.families.base import Batch, Optimizer, StudentFamily
from proxytune.student.families.lumina.checkpoint import Student, load_student
from proxytune.student.families.lumina.sampling import sample_tokens
from proxytune.student.families.lumina.training_batch import position_weights, training_batch
from proxytune.student.families.lumina.transformer import Lumina
from proxytune.student.modules import bare
from proxytune.training.transfer import to_device


class LuminaFamily(StudentFamily):
    """A LoRA on the transformer, which reads the prompt and predicts the ids of the image."""

    # The official training's (xllmx finetune.py with exps/7B.sh).
    optimizer = Optimizer(betas=(0.9, 0.95), weight_decay=0.1, clip=4.0)
    encode_batch_size = 4
    # An estimate, as the real tokenizer is not in this repository: the template takes some 20 ids, an
    # ordinary prompt as many. Longer ones only have batches of their own.
    prompt_step = 64

    _student: Student

    def load_parts(self, folder: Path, **options: Any) -> Lumina:
        """Read the model folder."""
        self._student = load_student(folder, **options)
        self._layout, self._grid = self._student.layout, self._student.grid
        return self._student.lm

    def encode_captions(self, captions: Sequence[str], prompts: Sequence[str], token_word: str) -> None:
        """Encode them as ids."""
        known: dict[str, list[int]] = {}
        for caption in captions:
            self._student.prompts.check_word(token_word, caption)
            known[caption] = self._encode(caption)
        self._prompts = [known[caption] for caption in prompts]

    def encode_images(self, images: Tensor) -> Tensor:
        """Encode by the VQGAN's encoder."""
        return self._student.vq.encode(images)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Compute the loss under the prompts, or without those that are dropped.

        The official training drops no prompts; a model that is tuned for long would forget how to generate
        without one, which guidance compares with.
        """
        pairs = zip(batch.indices.tolist(), batch.dropped.tolist(), strict=True)
        prompts = [[] if drop else self._prompts[index] for index, drop in pairs]
        ids, labels = training_batch(self._layout, self._grid, prompts, batch.tokens)
        weights = None
        if batch.weights is not None:
            weights = position_weights(self._grid, [len(prompt) for prompt in prompts], batch.weights)
        return bare(model, Lumina).loss(to_device(ids, self._device), labels, weights=weights)

    def learned_positions(self, dropped: Tensor) -> int:
        """Count them; without a prompt nothing predicts an image's first id, which is then not learned."""
        return len(dropped) * (self._grid.block + 1) - int(dropped.sum())

    def probe(self, tokens: Tensor) -> Callable[[Lumina], Tensor]:
        """Compute the hidden states of the first proxy."""
        ids, _ = training_batch(self._layout, self._grid, self._prompts[:1], tokens)
        ids = ids.to(self._device)
        return lambda lm: lm.hidden(ids)

    def caption_lengths(self) -> list[int]:
        """Count the ids before each image."""
        return [len(prompt) for prompt in self._prompts]

    def prompt_length(self, prompt: str) -> int:
        """Count the ids before the header."""
        return len(self._encode(prompt))

    def generate_tokens(
        self, model: nn.Module, prompts: Sequence[str], seeds: Sequence[int], settings: dict[str, Any]
    ) -> Tensor:
        """Sample by the transformer."""
        encoded = [self._encode(prompt) for prompt in prompts]
        slots = self.padded_length(prompts[0])
        return sample_tokens(model, self._layout, encoded, self._grid, seeds, slots=slots, **settings)

    def decode(self, tokens: Tensor) -> Tensor:
        """Decode by the VQGAN's decoder."""
        return self._student.vq.decode(tokens, (self._grid.rows, self._grid.columns))

    def _encode(self, prompt: str) -> list[int]:
        return self._student.prompts.encode(prompt, self.image_size, self.image_size)
