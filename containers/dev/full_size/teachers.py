"""Full-size teachers: the product's families, whose networks get random weights on the device.

A folder of the tiny model stands for the published one: tokenizers, scheduler and model_index.json are those
that the product reads. The network is built when the product loads it, the VAE likewise, and prompts get
random embeddings of the real shape instead of those of encoders of up to 9.5 GB.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dev import tiny_models
from dev.full_size import networks
from dev.full_size.catalogue import row
from proxytune.teacher.families import registry
from proxytune.teacher.families.base import DiffusionFamily
from proxytune.teacher.text import PromptEmbeddings, TextEncoders


@dataclass(frozen=True)
class TeacherFolder:
    """A teacher that the product's trainer and generator take as it is.

    Attributes:
        family: its code.
        base: its model folder.
    """

    family: DiffusionFamily
    base: Path


def full_size_teacher(model: str, folder: Path, device: torch.device) -> TeacherFolder:
    """Return a full-size teacher with random weights.

    Args:
        model: catalogue id.
        folder: where the files go that stand for its published folder, 1 GB at most.
        device: where its network is built.
    """
    tiny_models.write(row(model)["tiny"], folder)
    made = registry.teacher_family(row(model)["family"])
    kind = type(made)
    dtype = torch.float32 if made.vae_float32 else torch.bfloat16
    networks.vae(model, "cpu", dtype).save_pretrained(folder / "vae")

    class FullSize(kind):  # type: ignore[misc, valid-type]
        """The family with random weights."""

        def network_class(self) -> Any:
            return _RandomWeights(super().network_class(), model, device)

        def load_text_encoders(self, base: Path, dtype: torch.dtype) -> TextEncoders:
            self._text_dtype = dtype
            encoders: TextEncoders = super().load_text_encoders(base, dtype)
            return encoders

        def encode_prompts(self, encoders: TextEncoders, prompts: list[str]) -> PromptEmbeddings:
            length, width, pooled = networks.TEXTS[model]
            like = torch.empty(0, device=device, dtype=self._text_dtype)
            states, vector = like.new_empty(len(prompts), length, width), like.new_empty(len(prompts), pooled)
            return PromptEmbeddings(states.normal_(), vector.normal_())

    return TeacherFolder(FullSize(), folder)


def tiny_teacher(model: str, folder: Path) -> TeacherFolder:
    """Return the tiny stand-in of a teacher."""
    tiny_models.write(row(model)["tiny"], folder)
    return TeacherFolder(registry.teacher_family(row(model)["family"]), folder)


class _RandomWeights:
    """A class of diffusers whose weights are random instead of read from a folder."""

    def __init__(self, network_class: Any, model: str, device: torch.device) -> None:
        self._class, self._model, self._device = network_class, model, device

    def from_pretrained(
        self, folder: str, *, torch_dtype: torch.dtype, **_: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Build the network; nothing is missing from it."""
        del folder
        network = networks.teacher_network(self._class, self._model, self._device, torch_dtype)
        return network, {"missing_keys": [], "mismatched_keys": []}
