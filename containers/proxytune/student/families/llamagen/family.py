"""LlamaGen as a student family: what its training and its generation do of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proxytune.student.families.base import Batch, Optimizer, StudentFamily
from proxytune.student.families.llamagen.captions import CaptionEncoder
from proxytune.student.families.llamagen.checkpoint import Student, load_student
from proxytune.student.families.llamagen.proxy_captions import ProxyCaptions
from proxytune.student.families.llamagen.sampling import sample_tokens
from proxytune.student.families.llamagen.transformer import LlamaGen, trim_caption
from proxytune.student.modules import bare
from proxytune.training.transfer import to_device


class LlamaGenFamily(StudentFamily):
    """A LoRA on the transformer, which reads caption features of T5 and predicts the tokens of the image."""

    # The official training's (LlamaGen train_t2i.py). Its weight decay is for tensors of two dimensions,
    # which all of an adapter's are.
    optimizer = Optimizer(betas=(0.9, 0.95), weight_decay=0.05, clip=1.0)
    # At 512 pixels sixteen images would take 12 GiB of float32 activations in the VQ encoder, these take 3.
    encode_batch_size = 4
    # Of 120 slots. An estimate: T5 makes a token or two of a word. Longer captions have batches of their own.
    prompt_step = 32

    _student: Student

    def load_parts(self, folder: Path, **options: Any) -> LlamaGen:
        """Read the model folder; the text encoder has the transformer's number format."""
        self._student = load_student(folder, text_dtype=options["dtype"], **options)
        self._features: dict[str, Tensor] = {}
        return self._student.gpt

    def encode_captions(self, captions: Sequence[str], prompts: Sequence[str], token_word: str) -> None:
        """Encode them as features."""
        for caption in captions:
            self._caption_encoder.check_word(token_word, caption)
        self._captions = ProxyCaptions.encode(prompts, self._caption_encoder)

    def encode_images(self, images: Tensor) -> Tensor:
        """Encode by the VQ encoder."""
        return self._student.vq.encode(images)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Compute the loss under the captions, or under the null caption for those that are dropped."""
        return bare(model, LlamaGen).loss(
            to_device(batch.tokens, self._device),
            *self._captions.batch(batch.indices),
            drop_caption=to_device(batch.dropped, self._device),
            weights=None if batch.weights is None else to_device(batch.weights, self._device),
        )

    def probe(self, tokens: Tensor) -> Callable[[LlamaGen], Tensor]:
        """Compute the logits of the first proxy."""
        caption, _ = self._captions.batch(torch.tensor([0]))
        tokens = tokens[:, :-1].to(self._device)
        return lambda gpt: gpt(tokens, caption)

    def caption_lengths(self) -> list[int]:
        """Count the slots of each caption."""
        return self._captions.lengths

    def recompute_activations(self, model: nn.Module) -> None:
        """Let every layer keep its input only.

        The numbers stay the same: the random state of the dropouts is restored for the second computation.
        """
        bare(model, LlamaGen).recompute = True

    def layers_to_compile(self, model: nn.Module) -> list[nn.Module]:
        """Return all layers, which share what is compiled."""
        return list(bare(model, LlamaGen).layers)

    def prompt_length(self, prompt: str) -> int:
        """Count the slots of the caption."""
        return self._encode(prompt).shape[1]

    def padded_length(self, prompt: str) -> int:
        """Count them with the padding, at most the slots that the model knows."""
        return min(super().padded_length(prompt), self._student.gpt.config.cls_token_num)

    def generate_tokens(
        self, model: nn.Module, prompts: Sequence[str], seeds: Sequence[int], settings: dict[str, Any]
    ) -> Tensor:
        """Sample by the transformer."""
        captions, slots = [self._encode(prompt) for prompt in prompts], self.padded_length(prompts[0])
        padding = [slots - caption.shape[1] for caption in captions]
        features = torch.cat(
            [F.pad(caption, (0, 0, empty, 0)) for caption, empty in zip(captions, padding, strict=True)]
        )
        mask = torch.arange(slots) >= torch.tensor(padding)[:, None]
        return sample_tokens(model, features, mask, seeds, trim=False, **settings)

    def decode(self, tokens: Tensor) -> Tensor:
        """Decode by the VQ decoder."""
        return self._student.vq.decode(tokens)

    @property
    def _caption_encoder(self) -> CaptionEncoder:
        encoder = self._student.captions
        assert isinstance(encoder, CaptionEncoder)
        return encoder

    def _encode(self, prompt: str) -> Tensor:
        """Encode a prompt without padding, (1, n, caption_dim); each prompt once."""
        if prompt not in self._features:
            features, _ = trim_caption(*self._caption_encoder.encode([prompt]))
            self._features[prompt] = features
        return self._features[prompt]
