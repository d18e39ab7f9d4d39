"""Prompt embeddings by CLIP and T5: the parts that the families combine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.contract.finite import finite
from proxytune.teacher.loading import load_part, part_folder
from proxytune.training.transfer import index_tensor


@dataclass(frozen=True)
class TextEncoders:
    """A model's tokenizers and the text encoder of each, in the same order."""

    tokenizers: list[Any]
    encoders: list[Any]

    def to(self, device: torch.device) -> TextEncoders:
        """Move the encoders to a device; on the CPU they take no memory of the GPU."""
        for encoder in self.encoders:
            encoder.to(device)
        return self


@dataclass(frozen=True)
class PromptEmbeddings:
    """The network's text inputs for n prompts: (n, length, width) states and (n, width) pooled vectors."""

    states: Tensor
    pooled: Tensor

    def __len__(self) -> int:
        return len(self.states)

    def select(self, indices: Sequence[int]) -> PromptEmbeddings:
        """Return those of some of the prompts, in this order."""
        at = index_tensor(indices, self.states.device)
        return PromptEmbeddings(self.states[at], self.pooled[at])

    def repeat(self, count: int) -> PromptEmbeddings:
        """Repeat all of them `count` times."""
        return PromptEmbeddings(self.states.repeat(count, 1, 1), self.pooled.repeat(count, 1))

    def to(self, device: torch.device) -> PromptEmbeddings:
        """Copy them to a device."""
        return PromptEmbeddings(self.states.to(device), self.pooled.to(device))


def concatenate(embeddings: Sequence[PromptEmbeddings]) -> PromptEmbeddings:
    """Concatenate the embeddings of several sets of prompts."""
    return PromptEmbeddings(
        torch.cat([each.states for each in embeddings]), torch.cat([each.pooled for each in embeddings])
    )


def part_endings(count: int) -> list[str]:
    """List the endings of the names of a model's text encoders and tokenizers: none, `_2`, `_3`."""
    return ["", *(f"_{number}" for number in range(2, count + 1))]


def load_encoders(base: Path, classes: Sequence[str], dtype: torch.dtype) -> TextEncoders:
    """Load a model folder's text encoders, on the CPU.

    Args:
        classes: of transformers, for `text_encoder`, `text_encoder_2` and so on; their tokenizers lie in
            `tokenizer`, `tokenizer_2` and so on.

    Raises:
        ProxytuneError: ModelMissing, ModelMismatch.
    """
    import transformers

    tokenizers, encoders = [], []
    for ending, name in zip(part_endings(len(classes)), classes, strict=True):
        tokenizer_class = transformers.T5Tokenizer if name.startswith("T5") else transformers.CLIPTokenizer
        folder = part_folder(base, f"tokenizer{ending}")
        tokenizers.append(tokenizer_class.from_pretrained(str(folder), local_files_only=True))
        encoders.append(load_part(getattr(transformers, name), base, f"text_encoder{ending}", dtype))
    return TextEncoders(tokenizers, encoders)


@torch.no_grad()
def clip_states(tokenizer: Any, encoder: Any, prompts: list[str]) -> tuple[Tensor, Tensor]:
    """Compute CLIP's states before the last layer, and its first output, for each prompt.

    Returns:
        (n, 77, w) and, for a CLIPTextModelWithProjection (n, w), for a CLIPTextModel (n, 77, w).

    Raises:
        ProxytuneError: ModelNotFinite.
    """
    ids = _ids(tokenizer, prompts, tokenizer.model_max_length)
    # One prompt at a time: its embedding must not depend on the prompts next to it.
    outputs = [encoder(row[None].to(encoder.device), output_hidden_states=True) for row in ids]
    states = _finite(encoder, prompts, (output.hidden_states[-2] for output in outputs))
    return states, _finite(encoder, prompts, (output[0] for output in outputs))


@torch.no_grad()
def clip_pooled(tokenizer: Any, encoder: Any, prompts: list[str]) -> Tensor:
    """Compute (n, w): CLIP's state at the end of each prompt, without projection.

    Raises:
        ProxytuneError: ModelNotFinite.
    """
    ids = _ids(tokenizer, prompts, tokenizer.model_max_length)
    return _finite(encoder, prompts, (encoder(row[None].to(encoder.device)).pooler_output for row in ids))


@torch.no_grad()
def t5_states(tokenizer: Any, encoder: Any, prompts: list[str], length: int) -> Tensor:
    """Compute (n, length, w): T5's last states, with padding as in the pipelines.

    Args:
        length: the pipeline's own; a tokenizer that reads less sets the limit.

    Raises:
        ProxytuneError: ModelNotFinite, as T5's feed-forward part overflows in float16.
    """
    ids = _ids(tokenizer, prompts, min(length, tokenizer.model_max_length))
    return _finite(encoder, prompts, (encoder(row[None].to(encoder.device))[0] for row in ids))


def _finite(encoder: Any, prompts: list[str], rows: Iterable[Tensor]) -> Tensor:
    """Concatenate an encoder's outputs, after a check of each: every step and image is made from them."""
    part = f"text encoder {type(encoder).__name__}"
    pairs = zip(rows, prompts, strict=True)
    return torch.cat([finite(row, part, f"the prompt '{prompt}'") for row, prompt in pairs])


def _ids(tokenizer: Any, prompts: list[str], length: int) -> Tensor:
    ids: Tensor = tokenizer(
        prompts, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    ).input_ids
    return ids
