"""SDXL: a U-Net conditioned on two CLIPs, and on six numbers about the image's size and crop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.teacher.conditioning import SizeAndCrop
from proxytune.teacher.families.base import DiffusionFamily
from proxytune.teacher.kohya_export import OriginalWeight
from proxytune.teacher.loading import model_index
from proxytune.teacher.objectives import Denoising
from proxytune.teacher.text import PromptEmbeddings, TextEncoders, clip_states
from proxytune.training.transfer import to_device

# The attention projections of diffusers' SDXL DreamBooth-LoRA script.
ATTENTION = ("to_k", "to_out.0", "to_q", "to_v")
# `all` is for small models trained in few steps, where attention alone learns a shape too slowly.
TARGETS = {
    "attention": ATTENTION,
    "all": (
        *ATTENTION,
        *("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
        *("conv", "conv1", "conv2", "conv_in", "conv_out", "conv_shortcut"),
    ),
}


class SDXL(DiffusionFamily):
    """SDXL 1.0."""

    network = "unet"
    network_type = "diffusers.models.unets.unet_2d_condition:UNet2DConditionModel"
    lora_type = "diffusers.loaders.lora_pipeline:StableDiffusionXLLoraLoaderMixin"
    pipeline_type = (
        "diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl:StableDiffusionXLPipeline"
    )
    text_encoders = ("CLIPTextModel", "CLIPTextModelWithProjection")
    targets = TARGETS
    architecture = "stable-diffusion-xl-v1-base/lora"
    # diffusers issues 4325, 4820.
    vae_float32 = True
    patch = 1
    blocks = ("BasicTransformerBlock",)

    def encode_prompts(self, encoders: TextEncoders, prompts: list[str]) -> PromptEmbeddings:
        # The states before the last layer of both side by side, and the pooled vector of the second.
        outputs = [
            clip_states(tokenizer, encoder, prompts)
            for tokenizer, encoder in zip(encoders.tokenizers, encoders.encoders, strict=True)
        ]
        return PromptEmbeddings(torch.cat([states for states, _ in outputs], dim=-1), outputs[-1][1])

    def objective(self, base: Path, snr_gamma: float | None) -> Denoising:
        return Denoising(base, snr_gamma)

    def original_weight(self, layer: str, config: Any) -> OriginalWeight:
        return OriginalWeight(original_name(layer, int(config.layers_per_block)))

    def predict(
        self,
        network: Any,
        latents: Tensor,
        timesteps: Tensor,
        prompts: PromptEmbeddings,
        crops: list[SizeAndCrop],
    ) -> Tensor:
        numbers = [[*crop.original, *crop.corner, crop.size, crop.size] for crop in crops]
        time_ids = to_device(torch.tensor(numbers, dtype=torch.float32), latents.device)
        prediction: Tensor = network(
            latents.to(network.dtype),
            timesteps,
            encoder_hidden_states=prompts.states,
            added_cond_kwargs={"text_embeds": prompts.pooled, "time_ids": time_ids},
            return_dict=False,
        )[0]
        return prediction

    def pipeline_options(self, base: Path) -> dict[str, Any]:
        zeros = bool(model_index(base).get("force_zeros_for_empty_prompt", True))
        return {"force_zeros_for_empty_prompt": zeros, "add_watermarker": False}

    def size_options(self, size: int) -> dict[str, Any]:
        whole = SizeAndCrop.whole(size)
        return {
            "original_size": whole.original,
            "crops_coords_top_left": whole.corner,
            "target_size": (whole.size, whole.size),
        }

    def needs_empty_prompt(self, pipeline: Any, guidance: float) -> bool:
        # Most SDXL models take zeros in its place.
        return (
            super().needs_empty_prompt(pipeline, guidance)
            and not pipeline.config.force_zeros_for_empty_prompt
        )


# The ends of layer names in convolution blocks; attention has the same names in both.
ORIGINAL_CONVOLUTIONS = {"conv1": "in_layers.2", "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}


def original_name(layer: str, layers_per_block: int) -> str:
    """Return a layer's name in SDXL's original U-Net, which numbers its blocks consecutively.

    Args:
        layers_per_block: of the U-Net's config; up blocks have one more.
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
        position = 1 + int(block) * stride + (layers_per_block if kind == "downsamplers" else int(number))
        # Downsampling is a block of its own.
        inner = ["op"] if kind == "downsamplers" else inner
        return ".".join(["input_blocks", str(position), "1" if kind == "attentions" else "0", *_inner(inner)])
    position = int(block) * stride + (layers_per_block if kind == "upsamplers" else int(number))
    # Upsampling comes after convolutions and attention: SDXL's up blocks that have it have both.
    within = {"resnets": "0", "attentions": "1", "upsamplers": "2"}[kind]
    return ".".join(["output_blocks", str(position), within, *_inner(inner)])


def _inner(names: list[str]) -> list[str]:
    return [ORIGINAL_CONVOLUTIONS.get(names[0], names[0])] if len(names) == 1 else names
