"""SDXL: a U-Net told by two CLIPs, and by six numbers about the picture's size and crop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.teacher.exports import Place
from proxytune.teacher.families.base import Drawing, View
from proxytune.teacher.families.sdxl_text import KINDS, encode_prompts
from proxytune.teacher.loading import load_named, model_index
from proxytune.teacher.memory import Activations, unet_activations
from proxytune.teacher.objectives import Denoising
from proxytune.teacher.text import TextEncoders, Texts, load_encoders
from proxytune.training.transfer import to_device

# The attention projections of diffusers' SDXL DreamBooth-LoRA script.
ATTENTION = ("to_k", "to_out.0", "to_q", "to_v")


class SDXL:
    """A `family.DiffusionFamily`."""

    network = "unet"
    # `all` is for small models trained in few steps, where the attention alone learns a subject's shape too
    # slowly.
    targets: Mapping[str, Sequence[str]] = {
        "attention": ATTENTION,
        "all": (
            *ATTENTION,
            *("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
            *("conv", "conv1", "conv2", "conv_in", "conv_out", "conv_shortcut"),
        ),
    }
    architecture = "stable-diffusion-xl-v1-base/lora"
    # diffusers issues 4325, 4820.
    vae_float32 = True
    patch = 1
    blocks: Sequence[str] = ("BasicTransformerBlock",)

    def network_class(self) -> Any:
        """As `DiffusionFamily.network_class`."""
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

        return UNet2DConditionModel

    def loader(self) -> Any:
        """As `DiffusionFamily.loader`."""
        from diffusers.loaders.lora_pipeline import StableDiffusionXLLoraLoaderMixin

        return StableDiffusionXLLoraLoaderMixin

    def load_texts(self, base: Path, dtype: torch.dtype) -> TextEncoders:
        """As `DiffusionFamily.load_texts`."""
        return load_encoders(base, KINDS, dtype)

    def encode(self, texts: TextEncoders, prompts: list[str]) -> Texts:
        """As `DiffusionFamily.encode`."""
        return Texts(*encode_prompts(texts, prompts))

    def objective(self, base: Path, snr_gamma: float | None) -> Denoising:
        """As `DiffusionFamily.objective`."""
        return Denoising(base, snr_gamma)

    def place(self, layer: str, config: Any) -> Place:
        """As `DiffusionFamily.place`."""
        return Place(authors_name(layer, int(config.layers_per_block)))

    def activations(self, config: Any, size: int, text_length: int) -> Activations:
        """As `DiffusionFamily.activations`."""
        return unet_activations(size**2, config.block_out_channels[0])

    def channels(self, network: Any) -> int:
        """As `DiffusionFamily.channels`."""
        return int(network.config.in_channels)

    def answer(self, network: Any, latents: Tensor, times: Tensor, texts: Texts, views: list[View]) -> Tensor:
        """As `DiffusionFamily.answer`."""
        sizes = [[*view.original, *view.corner, view.size, view.size] for view in views]
        numbers = to_device(torch.tensor(sizes, dtype=torch.float32), latents.device)
        answer: Tensor = network(
            latents.to(network.dtype),
            times,
            encoder_hidden_states=texts.states,
            added_cond_kwargs={"text_embeds": texts.pooled, "time_ids": numbers},
            return_dict=False,
        )[0]
        return answer

    def pipeline(self, base: Path, network: Any, vae: Any) -> Any:
        """As `DiffusionFamily.pipeline`."""
        from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
            StableDiffusionXLPipeline,
        )

        return StableDiffusionXLPipeline(
            vae=vae,
            unet=network,
            scheduler=load_named(base, "scheduler"),
            text_encoder=None,
            text_encoder_2=None,
            tokenizer=None,
            tokenizer_2=None,
            force_zeros_for_empty_prompt=bool(model_index(base).get("force_zeros_for_empty_prompt", True)),
            add_watermarker=False,
        )

    def needs_empty(self, pipeline: Any, guidance: float) -> bool:
        """As `DiffusionFamily.needs_empty`: most SDXL models take zeros in its place."""
        return guidance > 1 and not pipeline.config.force_zeros_for_empty_prompt

    def draw(self, pipeline: Any, drawing: Drawing) -> Tensor:
        """As `DiffusionFamily.draw`."""
        unet, texts, empty = pipeline.unet, drawing.texts, drawing.empty
        latents: Tensor = pipeline(
            prompt_embeds=texts.states,
            pooled_prompt_embeds=texts.pooled,
            negative_prompt_embeds=None if empty is None else empty.states,
            negative_pooled_prompt_embeds=None if empty is None else empty.pooled,
            latents=drawing.noise.to(unet.device, unet.dtype),
            generator=drawing.generators,
            height=drawing.size,
            width=drawing.size,
            num_inference_steps=drawing.steps,
            guidance_scale=drawing.guidance,
            output_type="latent",
        ).images
        return latents


# The ends of layers' names in blocks of convolutions; attention has the same names in both.
AUTHORS_CONVOLUTIONS = {"conv1": "in_layers.2", "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}


def authors_name(layer: str, layers_per_block: int) -> str:
    """A layer's name in SDXL's original U-Net, which numbers its blocks through.

    Args:
        layers_per_block: of the U-Net's config; up-blocks have one more.
    """
    if layer in ("conv_in", "conv_out"):
        return {"conv_in": "input_blocks.0.0", "conv_out": "out.2"}[layer]
    side, *rest = layer.split(".")
    if side == "mid_block":
        kind, number, *inner = rest
        return ".".join(
            ["middle_block", "1" if kind == "attentions" else str(2 * int(number)), *_inner(inner)]
        )
    block, kind, number, *inner = rest
    stride = layers_per_block + 1
    if side == "down_blocks":
        place = 1 + int(block) * stride + (layers_per_block if kind == "downsamplers" else int(number))
        # The step down has a block of its own.
        inner = ["op"] if kind == "downsamplers" else inner
        return ".".join(["input_blocks", str(place), "1" if kind == "attentions" else "0", *_inner(inner)])
    place = int(block) * stride + (layers_per_block if kind == "upsamplers" else int(number))
    # The step up comes after convolutions and attention: SDXL's up-blocks that have one have both.
    within = {"resnets": "0", "attentions": "1", "upsamplers": "2"}[kind]
    return ".".join(["output_blocks", str(place), within, *_inner(inner)])


def _inner(names: list[str]) -> list[str]:
    return [AUTHORS_CONVOLUTIONS.get(names[0], names[0])] if len(names) == 1 else names
