"""What text encoders say about prompts: CLIP's and T5's, the parts that the families put together."""

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
    """A model's tokenizers and the encoders that read what they make, in the same order."""

    tokenizers: list[Any]
    encoders: list[Any]

    def to(self, device: torch.device) -> TextEncoders:
        """Move the encoders there; they wait on the CPU while a GPU's memory is wanted for other things."""
        for encoder in self.encoders:
            encoder.to(device)
        return self


@dataclass(frozen=True)
class Texts:
    """What the network is told about n prompts: (n, length, width) states and (n, width) pooled vectors."""

    states: Tensor
    pooled: Tensor

    def __len__(self) -> int:
        return len(self.states)

    def pick(self, numbers: Sequence[int]) -> Texts:
        """Those of these prompts, in this order."""
        at = index_tensor(numbers, self.states.device)
        return Texts(self.states[at], self.pooled[at])

    def repeat(self, count: int) -> Texts:
        """All of them, `count` times."""
        return Texts(self.states.repeat(count, 1, 1), self.pooled.repeat(count, 1))

    def to(self, device: torch.device) -> Texts:
        """The same on a device."""
        return Texts(self.states.to(device), self.pooled.to(device))


def join(texts: Sequence[Texts]) -> Texts:
    """Several as one."""
    return Texts(torch.cat([text.states for text in texts]), torch.cat([text.pooled for text in texts]))


def load_encoders(base: Path, kinds: Sequence[str], dtype: torch.dtype) -> TextEncoders:
    """A model folder's text encoders, on the CPU.

    Args:
        kinds: classes of transformers for `text_encoder`, `text_encoder_2` and so on; their tokenizers lie in
            `tokenizer`, `tokenizer_2` and so on.

    Raises:
        ProxytuneError: ModelMissing, ModelMismatch.
    """
    import transformers

    tokenizers, encoders = [], []
    for number, kind in enumerate(kinds, start=1):
        ending = "" if number == 1 else f"_{number}"
        tokenizer_class = transformers.T5Tokenizer if kind.startswith("T5") else transformers.CLIPTokenizer
        folder = part_folder(base, f"tokenizer{ending}")
        tokenizers.append(tokenizer_class.from_pretrained(str(folder), local_files_only=True))
        encoders.append(load_part(getattr(transformers, kind), base, f"text_encoder{ending}", dtype))
    return TextEncoders(tokenizers, encoders)


@torch.no_grad()
def clip_answers(tokenizer: Any, encoder: Any, prompts: list[str]) -> tuple[Tensor, Tensor]:
    """Of each prompt CLIP's states before the last layer, and its first output.

    Returns:
        (n, 77, w) and, for a CLIPTextModelWithProjection (n, w), for a CLIPTextModel (n, 77, w).

    Raises:
        ProxytuneError: ModelNotFinite.
    """
    ids = _ids(tokenizer, prompts, tokenizer.model_max_length)
    # One prompt at a time: what a prompt becomes must not depend on those beside it.
    answers = [encoder(row[None].to(encoder.device), output_hidden_states=True) for row in ids]
    states = _whole(encoder, prompts, (answer.hidden_states[-2] for answer in answers))
    return states, _whole(encoder, prompts, (answer[0] for answer in answers))


@torch.no_grad()
def clip_pooled(tokenizer: Any, encoder: Any, prompts: list[str]) -> Tensor:
    """(n, w): CLIP's state at the end of each prompt, not projected.

    Raises:
        ProxytuneError: ModelNotFinite.
    """
    ids = _ids(tokenizer, prompts, tokenizer.model_max_length)
    return _whole(encoder, prompts, (encoder(row[None].to(encoder.device)).pooler_output for row in ids))


@torch.no_grad()
def t5_states(tokenizer: Any, encoder: Any, prompts: list[str], length: int) -> Tensor:
    """(n, length, w): T5's last states, padding included as the pipelines leave it.

    Args:
        length: the pipeline's own; a tokenizer that reads less sets the limit.

    Raises:
        ProxytuneError: ModelNotFinite, as T5's feed-forward part overflows in float16.
    """
    ids = _ids(tokenizer, prompts, min(length, tokenizer.model_max_length))
    return _whole(encoder, prompts, (encoder(row[None].to(encoder.device))[0] for row in ids))


def _whole(encoder: Any, prompts: list[str], rows: Iterable[Tensor]) -> Tensor:
    """An encoder's answers to prompts as one; they are kept, and every step and picture is made of them."""
    part = f"text encoder {type(encoder).__name__}"
    pairs = zip(rows, prompts, strict=True)
    return torch.cat([finite(row, part, f"the prompt '{prompt}'") for row, prompt in pairs])


def _ids(tokenizer: Any, prompts: list[str], length: int) -> Tensor:
    ids: Tensor = tokenizer(
        prompts, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    ).input_ids
    return ids
