"""The loss of a training step of a recipe, by the families' own code, on the meta device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dev.full_size.networks import TEXTS, student_transformer, teacher_network
from proxytune.student.adapters import add_adapter as student_adapter
from proxytune.student.families.lumina.layout import Grid
from proxytune.student.families.lumina.transformer import IGNORED
from proxytune.student.families.registry import student_family
from proxytune.student.modules import bare
from proxytune.teacher.adapter import add_adapter as teacher_adapter
from proxytune.teacher.conditioning import SizeAndCrop
from proxytune.teacher.families.base import DiffusionFamily
from proxytune.teacher.families.registry import teacher_family
from proxytune.teacher.text import PromptEmbeddings

# Positions of a caption: those of about ten words in the families' own templates.
CAPTION = {"llamagen": 16, "lumina": 32, "janus": 24}
# Pixels along one side of a latent of the teachers' VAEs, and of a token of the students' image tokenizers.
VAE_STRIDE, TOKEN_STRIDE = 8, 16


@dataclass(frozen=True)
class Step:
    """A training step.

    Attributes:
        network: carries the adapter, and is in train mode.
        loss: computes the loss of a batch, with gradient.
        recompute: turns activation checkpointing on.
    """

    network: Any
    loss: Callable[[], Tensor]
    recompute: Callable[[], None]


def training_step(row: Mapping[str, Any], recipe: Mapping[str, Any]) -> Step:
    """Return a training step.

    Args:
        row: a model's, of the catalogue.
        recipe: one of its recipes.
    """
    return (_teacher_step if row["role"] == "teacher" else _student_step)(row, recipe)


def teacher_loss(
    family: DiffusionFamily, network: Any, *, images: int, size: int, text: tuple[int, int, int]
) -> Tensor:
    """Compute the loss of a batch.

    Args:
        network: with its adapter, on the meta device.
        size: side of the images in pixels.
        text: tokens of a prompt, width of their states and of the pooled state.
    """
    length, width, pooled = text
    with torch.device("meta"):
        latents = torch.empty(images, family.latent_channels(network), *[size // VAE_STRIDE] * 2)
        timesteps, weights = torch.empty(images), torch.empty(images)
        states = torch.empty(images, length, width, dtype=network.dtype)
        prompts = PromptEmbeddings(states, torch.empty(images, pooled, dtype=network.dtype))
    prediction = family.predict(network, latents, timesteps, prompts, [SizeAndCrop.whole(size)] * images)
    errors = (prediction.float() - latents).square().flatten(1).mean(1)
    return (errors * weights).mean()


def student_loss(family: str, model: Any, *, images: int, side: int, caption: int) -> Tensor:
    """Compute the loss of a batch.

    Args:
        model: the transformer with its adapter, on the meta device.
        side: tokens along one side of an image.
        caption: positions that a caption takes.
    """
    with torch.device("meta"):
        tokens = torch.empty(images, side**2, dtype=torch.long)
        if family == "llamagen":
            features = torch.empty(images, caption, model.config.caption_dim, dtype=model.output.weight.dtype)
            dropped = torch.empty(images, dtype=torch.bool)
    loss: Tensor
    if family == "llamagen":
        loss = model.loss(tokens, features, drop_caption=dropped)
    elif family == "janus":
        loss = model.loss([[0] * caption] * images, tokens)
    else:
        length = caption + Grid(side, side).block + 1
        # Labels are on the CPU; a prompt has none.
        labels = torch.zeros(images, length, dtype=torch.long)
        labels[:, :caption] = IGNORED
        loss = model.loss(torch.empty(images, length, dtype=torch.long, device="meta"), labels)
    return loss


def _teacher_step(row: Mapping[str, Any], recipe: Mapping[str, Any]) -> Step:
    family = teacher_family(row["family"])
    network = teacher_network(family.network_class(), row["id"], "meta", torch.bfloat16)
    targets = family.targets[recipe.get("adapted", "attention")]
    teacher_adapter(network, rank=recipe["rank"], alpha=recipe["alpha"], targets=targets)
    given = {"images": recipe["batchSize"], "size": recipe["size"], "text": TEXTS[row["id"]]}
    return Step(
        network.train(),
        lambda: teacher_loss(family, network, **given),
        network.enable_gradient_checkpointing,
    )


def _student_step(row: Mapping[str, Any], recipe: Mapping[str, Any]) -> Step:
    name = row["family"]
    network = student_transformer(row["id"], "meta", torch.bfloat16)
    model = student_adapter(network, rank=recipe["rank"], alpha=recipe["alpha"])
    given = {
        "images": recipe["batchSize"],
        "side": recipe["size"] // TOKEN_STRIDE,
        "caption": CAPTION[name],
    }
    return Step(
        model.train(),
        lambda: student_loss(name, bare(model, nn.Module), **given),
        lambda: student_family(name).recompute_activations(bare(model, nn.Module)),
    )
