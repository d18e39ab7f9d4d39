"""SDXL's two text encoders: penultimate states of both side by side, pooled vector of the second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.teacher.loading import load_part, part_folder


@dataclass(frozen=True)
class TextEncoders:
    """Both tokenizers and both encoders, the smaller CLIP first."""

    tokenizers: list[Any]
    encoders: list[Any]


def load_text_encoders(base: Path, dtype: torch.dtype, device: torch.device) -> TextEncoders:
    """Load them from a model folder.

    Raises:
        ProxytuneError: ModelMissing, ModelMismatch.
    """
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    tokenizers = [
        CLIPTokenizer.from_pretrained(str(part_folder(base, name)), local_files_only=True)
        for name in ("tokenizer", "tokenizer_2")
    ]
    encoders = [
        load_part(CLIPTextModel, base, "text_encoder", dtype).to(device),
        load_part(CLIPTextModelWithProjection, base, "text_encoder_2", dtype).to(device),
    ]
    return TextEncoders(tokenizers, encoders)


@torch.no_grad()
def encode_prompts(text: TextEncoders, prompts: list[str]) -> tuple[Tensor, Tensor]:
    """What the U-Net is told about each prompt.

    Returns:
        (n, 77, w1 + w2) states and (n, w2) pooled vectors, in the encoders' type and on their device.
    """
    states, pooled = [], torch.empty(0)
    for tokenizer, encoder in zip(text.tokenizers, text.encoders, strict=True):
        ids = tokenizer(
            prompts,
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        # One prompt at a time: what a prompt becomes must not depend on those beside it.
        answers = [encoder(row[None].to(encoder.device), output_hidden_states=True) for row in ids]
        states.append(torch.cat([answer.hidden_states[-2] for answer in answers]))
        pooled = torch.cat([answer[0] for answer in answers])
    return torch.cat(states, dim=-1), pooled
