"""The work of the large models' standard recipes, counted on the meta device: nothing is computed.

Counted are products and convolutions, as torch's FlopCounterMode does, of the product's own forward and
backward pass with its adapter, all activations kept. For a sampled token, whose time is that of memory, the
bytes that it reads are counted too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from dev.full_size import networks
from dev.full_size.catalogue import row
from dev.full_size.tokens import token_bytes
from proxytune.student import adapters
from proxytune.teacher.adapter import add_adapter
from proxytune.teacher.conditioning import SizeAndCrop
from proxytune.teacher.families.registry import teacher_family
from proxytune.teacher.text import PromptEmbeddings

META = torch.device("meta")
# Pixels along one side of a latent of all teachers.
LATENT = 8
# Slots of a caption, and ids of a prompt, with a sentence of 15 to 20 words.
CAPTION = 24
DIGITS = 4


def count_model(model: str) -> dict[str, Any]:
    """Count a training step and an image of a model's standard recipe.

    Returns:
        TFLOP of a step of the whole batch, and of an image: in bfloat16 and in float32; of a student also
        what a token of all images of a batch takes.
    """
    return _teacher(model) if row(model)["role"] == "teacher" else _student(model)


def _teacher(model: str) -> dict[str, Any]:
    recipe = row(model)["recipes"]["standard"]
    family = teacher_family(row(model)["family"])
    network = networks.teacher_network(family.network_class(), model, META, torch.bfloat16)
    calls = recipe["sampler"]["steps"]
    # Guidance of the families whose network does not read it as a number.
    calls *= 1 if getattr(network.config, "guidance_embeds", False) else 2
    size, batch = recipe["size"], recipe["batchSize"]
    length, width, pooled = networks.TEXTS[model]
    channels, side = family.latent_channels(network), size // LATENT

    def predict(count: int) -> Tensor:
        states = torch.empty(count, length, width, device=META, dtype=torch.bfloat16)
        prompts = PromptEmbeddings(states, states.new_empty(count, pooled))
        latents = torch.empty(count, channels, side, side, device=META)
        times = torch.empty(count, device=META)
        return family.predict(network, latents, times, prompts, [SizeAndCrop.whole(size)] * count)

    vae = networks.vae(model, META, torch.float32 if family.vae_float32 else torch.bfloat16)
    latents = torch.empty(1, channels, side, side, device=META, dtype=vae.dtype)
    image = {"bfloat16": calls * tflop(lambda: predict(1)), "float32": 0.0}
    image["float32" if family.vae_float32 else "bfloat16"] += tflop(lambda: vae.decode(latents))
    add_adapter(
        network,
        rank=recipe["rank"],
        alpha=recipe["alpha"],
        targets=family.targets[recipe.get("adapted", "attention")],
    )
    network.train()
    step = tflop(lambda: predict(batch).float().square().mean(), backward=True)
    facts = {"size": size, "batch": batch, "steps": recipe["sampler"]["steps"]}
    return {
        **facts,
        "step": _rounded(step),
        "image": {name: _rounded(value) for name, value in image.items()},
    }


def _student(model: str) -> dict[str, Any]:
    recipe = row(model)["recipes"]["standard"]
    size, batch, images = recipe["size"], recipe["batchSize"], recipe["drawBatch"]
    transformer = networks.student_transformer(model, META, torch.bfloat16)
    loss, tokens = _LOSSES[row(model)["family"]](transformer, batch, size)
    rows = images * (1 if recipe["sampler"]["guidance"] == 1 else 2)
    weights = token_bytes(transformer, 0, 0) / 2
    token = {"gigabytes": token_bytes(transformer, rows, tokens) / 1e9, "bfloat16": 2 * weights * rows / 1e12}
    wrapped = adapters.add_adapter(transformer, rank=recipe["rank"], alpha=recipe["alpha"])
    wrapped.train()
    step = tflop(loss, backward=True)
    tokenizer, side = networks.image_tokenizer(model, META), size // 16
    grid: Any = ((side, side),) if model == "lumina-mgpt-7b" else ()
    codes = torch.zeros(1, side * side, dtype=torch.long, device=META)
    image = {
        "bfloat16": 0.0,
        "float32": _rounded(tflop(lambda: tokenizer.decode(codes, *grid))),
        "tokens": tokens,
        "images": images,
        "token": {name: _rounded(value) for name, value in token.items()},
    }
    return {"size": size, "batch": batch, "step": _rounded(step), "image": image}


def tflop(work: Callable[[], Any], *, backward: bool = False) -> float:
    """Count products and convolutions.

    Args:
        work: returns a loss where `backward` is set; the backward pass is then counted too.
    """
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        result = work()
        if backward:
            torch.autograd.backward(result)
    return float(counter.get_total_flops()) / 1e12


def _llamagen(gpt: Any, batch: int, size: int) -> tuple[Callable[[], Tensor], int]:
    tokens = torch.zeros(batch, (size // 16) ** 2, dtype=torch.long, device=META)
    features = torch.empty(batch, CAPTION, gpt.config.caption_dim, device=META, dtype=torch.bfloat16)
    dropped = torch.zeros(batch, dtype=torch.bool, device=META)
    return lambda: gpt.loss(tokens, features, drop_caption=dropped), tokens.shape[1]


def _lumina(lm: Any, batch: int, size: int) -> tuple[Callable[[], Tensor], int]:
    side = size // 16
    # The image's header, rows with separators, end and the separator after it.
    length = CAPTION + 3 + side * (side + 1) + 2
    ids = torch.zeros(batch, length, dtype=torch.long, device=META)
    labels = torch.zeros(batch, length, dtype=torch.long)
    labels[:, :CAPTION] = -100
    return lambda: lm.loss(ids, labels), side * side


def _janus(lm: Any, batch: int, size: int) -> tuple[Callable[[], Tensor], int]:
    tokens = torch.zeros(batch, (size // 16) ** 2, dtype=torch.long, device=META)
    prompts = [[0] * CAPTION] * batch
    return lambda: lm.loss(prompts, tokens), tokens.shape[1]


_LOSSES = {"llamagen": _llamagen, "lumina": _lumina, "janus": _janus}


def _rounded(value: float) -> float:
    """Return a number with a few significant digits."""
    return float(f"{value:.{DIGITS}g}")
