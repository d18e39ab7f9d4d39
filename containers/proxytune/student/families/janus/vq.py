"""Janus-Pro's image tokenizer, which is LlamaGen's VQ-16: transformers' class, encoding as it was trained.

transformers decodes codes of length one, as officially, but encodes by the distance to codes of whatever
length they were stored with. Of two codes in nearly the same direction it may take another one.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.models.janus.modeling_janus import JanusVQVAE

from proxytune.student.codebook import nearest


class JanusTokenizer(JanusVQVAE):
    """Images to tokens and back (`decode`). Keep it in float32: the official sampling does."""

    @property
    def stride(self) -> int:
        """Pixels along one side of a token."""
        return int(2 ** (len(self.config.channel_multiplier) - 1))

    @property
    def size(self) -> int:
        """Side in pixels of the images that `decode` makes."""
        return int(self.config.num_patches) * self.stride

    @torch.no_grad()
    def encode_images(self, images: Tensor) -> Tensor:
        """Encode images to tokens.

        Args:
            images: (B, 3, size, size) in [-1, 1].

        Returns:
            (B, tokens per image) int64, row by row.

        Raises:
            ValueError: another shape.
        """
        if images.dim() != 4 or images.shape[1:] != (3, self.size, self.size):
            raise ValueError(
                f"images of shape {tuple(images.shape)} given; allowed: (B, 3, {self.size}, {self.size}). "
                "Resize or crop them first."
            )
        latents = self.quant_conv(self.encoder(images)).permute(0, 2, 3, 1).flatten(0, 2)
        codes = F.normalize(self.quantize.embedding.weight, dim=-1)
        return nearest(F.normalize(latents, dim=-1), codes).view(len(images), -1)
