"""The inputs of dreamsim.json, as both sides make them: weights in the published layout, and images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

Arrays = dict[str, npt.NDArray[np.float32]]

WIDTH, HEADS, DEPTH, PATCH, SIDE = 128, 2, 12, 16, 224
PROJECTED = 24
RANK, ALPHA = 4, 6
#: Width and height of each image; none is a square but the first.
SIZES = ((224, 224), (300, 180), (64, 96), (500, 333))


def image(number: int) -> Image.Image:
    """Draw soft noise."""
    width, height = SIZES[number]
    rng = np.random.default_rng(100 + number)
    coarse = rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoder(number: int) -> Arrays:
    """Make the weights of an encoder, the first DINO's, with the names of DINO's code."""
    rng = np.random.default_rng(number)

    def normal(*shape: int, scale: float = 0.15) -> npt.NDArray[np.float32]:
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    def norm(name: str) -> Arrays:
        return {f"{name}.weight": 1 + normal(WIDTH), f"{name}.bias": normal(WIDTH)}

    def linear(name: str, out: int, width: int) -> Arrays:
        return {f"{name}.weight": normal(out, width), f"{name}.bias": normal(out)}

    tokens = (SIDE // PATCH) ** 2 + 1
    weights: Arrays = {
        "cls_token": normal(1, 1, WIDTH),
        "pos_embed": normal(1, tokens, WIDTH),
        "patch_embed.proj.weight": normal(WIDTH, 3, PATCH, PATCH, scale=0.05),
        "patch_embed.proj.bias": normal(WIDTH),
        **norm("norm"),
    }
    for block in range(DEPTH):
        of = f"blocks.{block}"
        weights |= norm(f"{of}.norm1") | norm(f"{of}.norm2")
        weights |= linear(f"{of}.attn.qkv", 3 * WIDTH, WIDTH) | linear(f"{of}.attn.proj", WIDTH, WIDTH)
        weights |= linear(f"{of}.mlp.fc1", 4 * WIDTH, WIDTH) | linear(f"{of}.mlp.fc2", WIDTH, 4 * WIDTH)
    if number > 0:
        weights |= norm("pos_drop") | {"proj": normal(WIDTH, PROJECTED)}
    return weights


def lora() -> Arrays:
    """Make LoRA of queries, keys and values in all encoders, with peft's names."""
    rng = np.random.default_rng(9)
    layers: Arrays = {}
    for number in range(3):
        for block in range(DEPTH):
            name = f"base_model.model.extractor_list.{number}.model.blocks.{block}.attn.qkv"
            layers[f"{name}.lora_A.weight"] = (0.2 * rng.standard_normal((RANK, WIDTH))).astype(np.float32)
            layers[f"{name}.lora_B.weight"] = (0.2 * rng.standard_normal((3 * WIDTH, RANK))).astype(
                np.float32
            )
    return layers


def adapter_config() -> dict[str, object]:
    """The settings of that LoRA, as peft saves them."""
    return {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.3,
        "bias": "none",
        "target_modules": ["qkv"],
    }
