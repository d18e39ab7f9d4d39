"""The interface of a student family; trainer and generator are the same for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Optimizer:
    """AdamW's settings in a family's official training; the recipe gives learning rate and steps."""

    betas: tuple[float, float]
    weight_decay: float
    clip: float


@dataclass(frozen=True)
class Batch:
    """The proxies of one training step.

    Attributes:
        indices: (B,) int64 on the CPU, which proxies.
        tokens: (B, tokens per image) int64 on the CPU, their images.
        dropped: (B,) bool on the CPU, true where the caption is dropped.
        weights: (B, tokens per image) float32 on the CPU, of the tokens' errors, of mean 1 for each
            image; None weighs all alike.
    """

    indices: Tensor
    tokens: Tensor
    dropped: Tensor
    weights: Tensor | None = None

    def part(self, rows: slice) -> Batch:
        """Return some proxies of this batch."""
        weights = None if self.weights is None else self.weights[rows]
        return Batch(self.indices[rows], self.tokens[rows], self.dropped[rows], weights)

    def split(self, parts: int) -> list[Batch]:
        """Split the batch into parts of the same size, in order."""
        size = len(self.indices) // parts
        return [self.part(slice(start, start + size)) for start in range(0, len(self.indices), size)]


class StudentFamily(ABC):
    """Everything that is particular to a family of students, for one loaded model.

    A job calls `load_model` first. Training then calls `encode_captions` and `encode_images` once, and
    `free_encoders` before the first `loss`; generation calls the last methods for each batch. The transformer
    belongs to the caller, which passes it, perhaps wrapped by peft. Its class has `lora_targets`: the layers
    that carry the adapter, as endings of names or one regular expression.

    Attributes:
        optimizer: settings of the official training.
        encode_batch_size: images that are encoded at once; fixed, so that a resumed job rounds as its first
            attempt did.
        prompt_step: prompts are padded to multiples of so many positions for generation. A family chooses it
            such that ordinary prompts, of up to some 25 words, all have the same padded length.
        image_size: side of the model's images in pixels, once it is loaded.
    """

    optimizer: ClassVar[Optimizer]
    encode_batch_size: ClassVar[int]
    prompt_step: ClassVar[int]
    image_size: int

    # The loaded model's parts, of the family's own class, which has `image_size`.
    _student: Any
    _device: torch.device

    def load_model(
        self,
        folder: Path,
        *,
        image_size: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device,
    ) -> nn.Module:
        """Read a model folder: the transformer, which is returned, and what encodes and decodes.

        Args:
            image_size: the size wanted, in pixels; None takes the model's own.
            dtype: of the transformer; image tokenizers are always float32.

        Raises:
            ProxytuneError: ModelMismatch.
        """
        model = self.load_parts(folder, image_size=image_size, dtype=dtype, device=device)
        self.image_size, self._device = self._student.image_size, device
        return model

    @abstractmethod
    def load_parts(self, folder: Path, **options: Any) -> nn.Module:
        """Read a model folder into `_student` and return the transformer.

        Args:
            options: as given to `load_model`.
        """

    # Training

    @abstractmethod
    def encode_captions(self, captions: Sequence[str], prompts: Sequence[str], token_word: str) -> None:
        """Encode the captions of the proxies once, for every `loss`.

        Args:
            captions: every distinct caption, each of which must keep the token word.
            prompts: the caption of each proxy, all among `captions`.

        Raises:
            ProxytuneError: TokenWordUnusable, ModelNotFinite, HyperparameterInvalid.
        """

    @abstractmethod
    def encode_images(self, images: Tensor) -> Tensor:
        """Encode images (B, 3, size, size) in [-1, 1] to (B, tokens per image) int64.

        Raises:
            ProxytuneError: ModelNotFinite.
        """

    def free_encoders(self) -> None:
        """Drop the image tokenizer and the text encoder, whose work for the training is done."""
        del self._student

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Compute the loss of some proxies, a scalar with gradient."""

    def learned_positions(self, dropped: Tensor) -> int:
        """Count the positions whose ids are learned; the default is for images that all have as many.

        Args:
            dropped: as a batch's.

        Returns:
            A number in proportion to them.
        """
        return len(dropped)

    @abstractmethod
    def probe(self, tokens: Tensor) -> Callable[[Any], Tensor]:
        """Return a function of the bare transformer whose result depends on the whole adapter.

        Args:
            tokens: (1, tokens per image), the first proxy.
        """

    @abstractmethod
    def caption_lengths(self) -> list[int]:
        """Return how many positions the caption of each proxy takes in training."""

    def recompute_activations(self, model: Any) -> None:
        """Let every layer keep its input only and compute the rest again in the backward pass.

        The numbers stay the same, those of dropout too. This default is for transformers' models.
        """
        model.activation_checkpointing_enable({"use_reentrant": False})

    def layers_to_compile(self, model: nn.Module) -> list[nn.Module]:
        """Return the layers that are worth compiling in long trainings; none by default."""
        del model
        return []

    # Generation

    @abstractmethod
    def prompt_length(self, prompt: str) -> int:
        """Count the positions that a prompt takes before its image."""

    def padded_length(self, prompt: str) -> int:
        """Count them with the padding; prompts of the same padded length share batches."""
        return -(-self.prompt_length(prompt) // self.prompt_step) * self.prompt_step

    @abstractmethod
    def generate_tokens(
        self, model: nn.Module, prompts: Sequence[str], seeds: Sequence[int], settings: dict[str, Any]
    ) -> Tensor:
        """Sample tokens (len(prompts), tokens per image), each row from its own seed alone.

        Args:
            prompts: all of the same `padded_length`, to which they are padded.
            settings: guidance, temperature, top_k, top_p; and rows: compute as many images at once, whatever
                the number requested, None only those.
        """

    @abstractmethod
    def decode(self, tokens: Tensor) -> Tensor:
        """Decode tokens (B, tokens per image) to images (B, 3, H, W), about [-1, 1]."""
