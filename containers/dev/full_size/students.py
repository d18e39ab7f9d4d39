"""Full-size students: the product's families, whose parts get random weights on the device.

Tokenizers of the tiny models stand for the published ones, as their ids suffice to train and to sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dev import tiny_models
from dev.full_size import networks
from dev.full_size.catalogue import row
from proxytune.student.families import registry
from proxytune.student.families.base import StudentFamily

# Ids of the vocabulary before Lumina's image codes and after them; see tiny_models.lumina.
_LUMINA_FIRST = 4
_LUMINA_GRIDS = 65


@dataclass(frozen=True)
class StudentFolder:
    """A student that the product's trainer and generator take as it is."""

    family: StudentFamily
    base: Path


def full_size_student(model: str, folder: Path, image_size: int | None = None) -> StudentFolder:
    """Return a full-size student with random weights, made where the product loads it.

    Args:
        model: catalogue id.
        folder: stands for its published folder; nothing is read from it.
        image_size: of its images, in pixels; None takes the model's own.
    """
    kind = type(registry.student_family(row(model)["family"]))

    class FullSize(kind):  # type: ignore[misc, valid-type]
        """The family with random weights."""

        def load_parts(self, folder: Path, **options: Any) -> Any:
            del folder
            return _PARTS[model](
                self, options["dtype"], options["device"], options["image_size"] or image_size
            )

    return StudentFolder(FullSize(), folder)


def tiny_student(model: str, folder: Path) -> StudentFolder:
    """Return the tiny stand-in of a student."""
    tiny_models.write(row(model)["tiny"], folder)
    return StudentFolder(registry.student_family(row(model)["family"]), folder)


def _llamagen(family: Any, dtype: torch.dtype, device: torch.device, image_size: int | None) -> Any:
    from dev.tiny_models.diffusers_folder import t5_text_encoder
    from dev.tiny_models.tokenizers import t5_tokenizer
    from proxytune.student.families.llamagen.captions import CaptionEncoder
    from proxytune.student.families.llamagen.checkpoint import Student

    size = image_size or 512
    gpt = networks.student_transformer("llamagen-xl", device, dtype, block_size=(size // 16) ** 2)
    # Official training starts from an output of zeros, which would make every token as likely.
    torch.nn.init.normal_(gpt.output.weight, std=0.02)
    tokenizer = t5_tokenizer(gpt.config.cls_token_num)
    encoder = t5_text_encoder(tokenizer, gpt.config.caption_dim, num_layers=1).to(device, dtype)
    captions = CaptionEncoder(encoder, tokenizer, max_length=gpt.config.cls_token_num)
    vq = networks.image_tokenizer("llamagen-xl", device)
    family._student, family._features = Student(gpt, vq, captions, size), {}
    return gpt


def _lumina(family: Any, dtype: torch.dtype, device: torch.device, image_size: int | None) -> Any:
    from dev.tiny_models.lumina import tokenizer_of, vocabulary_names
    from proxytune.student.families.lumina.checkpoint import Student
    from proxytune.student.families.lumina.layout import Layout
    from proxytune.student.families.lumina.prompts import PromptEncoder
    from proxytune.student.families.lumina.vocabulary import Vocabulary

    after = _LUMINA_FIRST + networks.LUMINA_CODES
    vocabulary = Vocabulary(
        begin=0,
        codes=tuple(range(_LUMINA_FIRST, after)),
        end=after,
        start=after + 1,
        separator=after + 2,
        row_end=after + 3,
        grids=tuple(range(after + 4, after + 4 + _LUMINA_GRIDS)),
    )
    lm = networks.student_transformer("lumina-mgpt-7b", device, dtype)
    vq = networks.image_tokenizer("lumina-mgpt-7b", device)
    layout = Layout(vocabulary, vq.stride)
    prompts = PromptEncoder(tokenizer_of(vocabulary_names(vocabulary)), layout)
    family._student = Student(lm, vq, prompts, layout, image_size or 768)
    family._layout, family._grid = layout, family._student.grid
    return lm


def _janus(family: Any, dtype: torch.dtype, device: torch.device, image_size: int | None) -> Any:
    from dev.tiny_models.janus import make_tokenizer
    from proxytune.student.families.janus.checkpoint import Student
    from proxytune.student.families.janus.prompts import PromptEncoder

    lm = networks.student_transformer("janus-pro-1b", device, dtype)
    vq = networks.image_tokenizer("janus-pro-1b", device)
    if image_size not in (None, vq.size):
        raise ValueError(f"{image_size} pixels given; Janus-Pro makes images of {vq.size} pixels only")
    prompts = PromptEncoder(make_tokenizer(), int(lm.config.text_config.vocab_size))
    family._student = Student(lm, vq, prompts)
    return lm


_PARTS = {"llamagen-xl": _llamagen, "lumina-mgpt-7b": _lumina, "janus-pro-1b": _janus}
