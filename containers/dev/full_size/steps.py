"""The loss of a training step of a recipe, by the families' own code, on the meta device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dev.full_size.networks import TEXTS, student_transformer, teacher_network
from proxytune.student.modules import bare

# Positions of a caption: those of about ten words in the families' own templates.
CAPTION = {"llamagen": 16, "lumina": 32, "janus": 24}


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


def training_step(row: Mapping[str, Any], recipe: Mapping[str, Any], *, images: int | None = None) -> Step:
    """Return a training step.

    Args:
        row: a model's, of the catalogue.
        recipe: one of its recipes.
        images: how many are computed at once; None takes the recipe's batch.
    """
    step = _teacher_step if row["role"] == "teacher" else _student_step
    return step(row, recipe, images or recipe["batchSize"])


def _teacher_step(row: Mapping[str, Any], recipe: Mapping[str, Any], images: int) -> Step:
    from proxytune.teacher.adapter import add_adapter
    from proxytune.teacher.conditioning import SizeAndCrop
    from proxytune.teacher.families.registry import teacher_family
    from proxytune.teacher.text import PromptEmbeddings

    family = teacher_family(row["family"])
    network = teacher_network(family.network_class(), row["id"], "meta", torch.bfloat16)
    targets = family.targets[recipe.get("adapted", "attention")]
    add_adapter(network, rank=recipe["rank"], alpha=recipe["alpha"], targets=targets)
    length, width, pooled = TEXTS[row["id"]]
    # Every teacher's VAE has one latent for eight pixels.
    side = recipe["size"] // 8

    def loss() -> Tensor:
        with torch.device("meta"):
            latents = torch.empty(images, family.latent_channels(network), side, side)
            timesteps, weights = torch.empty(images), torch.empty(images)
            prompts = PromptEmbeddings(
                torch.empty(images, length, width, dtype=network.dtype),
                torch.empty(images, pooled, dtype=network.dtype),
            )
        crops = [SizeAndCrop.whole(recipe["size"])] * images
        prediction = family.predict(network, latents, timesteps, prompts, crops)
        errors = (prediction.float() - latents).square().flatten(1).mean(1)
        return (errors * weights).mean()

    return Step(network.train(), loss, network.enable_gradient_checkpointing)


def _student_step(row: Mapping[str, Any], recipe: Mapping[str, Any], images: int) -> Step:
    from proxytune.student.adapters import add_adapter
    from proxytune.student.families.registry import student_family

    name = row["family"]
    network = student_transformer(row["id"], "meta", torch.bfloat16)
    model = add_adapter(network, rank=recipe["rank"], alpha=recipe["alpha"])
    make: dict[str, Callable[[nn.Module, int, int, int], Tensor]] = {
        "llamagen": _llamagen_loss,
        "lumina": _lumina_loss,
        "janus": _janus_loss,
    }

    def loss() -> Tensor:
        return make[name](bare(model, nn.Module), images, recipe["size"], CAPTION[name])

    return Step(model.train(), loss, lambda: student_family(name).recompute_activations(model))


def _llamagen_loss(model: Any, images: int, size: int, slots: int) -> Tensor:
    with torch.device("meta"):
        tokens = torch.empty(images, (size // 16) ** 2, dtype=torch.long)
        caption = torch.empty(images, slots, model.config.caption_dim, dtype=torch.bfloat16)
        dropped = torch.empty(images, dtype=torch.bool)
    loss: Tensor = model.loss(tokens, caption, drop_caption=dropped)
    return loss


def _lumina_loss(model: Any, images: int, size: int, slots: int) -> Tensor:
    from proxytune.student.families.lumina.layout import Grid
    from proxytune.student.families.lumina.transformer import IGNORED

    length = slots + Grid(size // 16, size // 16).block + 1
    # Labels are on the CPU; a prompt has none.
    labels = torch.zeros(images, length, dtype=torch.long)
    labels[:, :slots] = IGNORED
    loss: Tensor = model.loss(torch.empty(images, length, dtype=torch.long, device="meta"), labels)
    return loss


def _janus_loss(model: Any, images: int, size: int, slots: int) -> Tensor:
    tokens = torch.empty(images, (size // 16) ** 2, dtype=torch.long, device="meta")
    loss: Tensor = model.loss([[0] * slots] * images, tokens)
    return loss
