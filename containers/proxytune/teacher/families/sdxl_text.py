"""SDXL's two text encoders: penultimate states of both side by side, pooled vector of the second."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from proxytune.teacher.text import TextEncoders, clip_answers, load_encoders

KINDS = ("CLIPTextModel", "CLIPTextModelWithProjection")


def load_text_encoders(base: Path, dtype: torch.dtype, device: torch.device) -> TextEncoders:
    """Load them from a model folder, the smaller CLIP first.

    Raises:
        ProxytuneError: ModelMissing, ModelMismatch.
    """
    return load_encoders(base, KINDS, dtype).to(device)


def encode_prompts(text: TextEncoders, prompts: list[str]) -> tuple[Tensor, Tensor]:
    """What the U-Net is told about each prompt.

    Returns:
        (n, 77, w1 + w2) states and (n, w2) pooled vectors, in the encoders' type and on their device.
    """
    answers = [
        clip_answers(tokenizer, encoder, prompts)
        for tokenizer, encoder in zip(text.tokenizers, text.encoders, strict=True)
    ]
    return torch.cat([states for states, _ in answers], dim=-1), answers[-1][1]
