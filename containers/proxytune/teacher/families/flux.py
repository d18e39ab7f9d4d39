"""FLUX.1-dev: a transformer over packed latents and T5's text, with guidance distilled into an input."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.teacher.conditioning import SizeAndCrop
from proxytune.teacher.families.base import (
    JOINT_TARGETS,
    DenoisingInputs,
    DiffusionFamily,
)
from proxytune.teacher.kohya_export import OriginalWeight
from proxytune.teacher.objectives import FlowMatching, refuse_snr
from proxytune.teacher.text import PromptEmbeddings, TextEncoders, clip_pooled, t5_states

# Tokens that T5 reads, as in the pipeline by default.
T5_LENGTH = 512
# Training with the 3.5 of generation gives images with too much contrast (sd-scripts issues 1572, 1464).
TRAINING_GUIDANCE = 1.0
# A double block's layers in the authors' checkpoint: name, and which of how many equal parts of its rows.
ORIGINAL_NAMES = {
    "attn.to_q": ("img_attn.qkv", 0, 3),
    "attn.to_k": ("img_attn.qkv", 1, 3),
    "attn.to_v": ("img_attn.qkv", 2, 3),
    "attn.to_out.0": ("img_attn.proj", 0, 1),
    "attn.add_q_proj": ("txt_attn.qkv", 0, 3),
    "attn.add_k_proj": ("txt_attn.qkv", 1, 3),
    "attn.add_v_proj": ("txt_attn.qkv", 2, 3),
    "attn.to_add_out": ("txt_attn.proj", 0, 1),
    "ff.net.0.proj": ("img_mlp.0", 0, 1),
    "ff.net.2": ("img_mlp.2", 0, 1),
    "ff_context.net.0.proj": ("txt_mlp.0", 0, 1),
    "ff_context.net.2": ("txt_mlp.2", 0, 1),
}
# A single block has one matrix for queries, keys, values and, four times as wide, its feed-forward part.
SINGLE_PARTS = {"attn.to_q": 0, "attn.to_k": 1, "attn.to_v": 2}
SINGLE_TOTAL = 7


class Flux(DiffusionFamily):
    """FLUX.1-dev."""

    network = "transformer"
    network_type = "diffusers.models.transformers.transformer_flux:FluxTransformer2DModel"
    lora_type = "diffusers.loaders.lora_pipeline:FluxLoraLoaderMixin"
    pipeline_type = "diffusers.pipelines.flux.pipeline_flux:FluxPipeline"
    text_encoders = ("CLIPTextModel", "T5EncoderModel")
    targets = JOINT_TARGETS
    architecture = "flux-1-dev/lora"
    vae_float32 = False
    patch = 2
    blocks = ("FluxTransformerBlock", "FluxSingleTransformerBlock")

    def encode_prompts(self, encoders: TextEncoders, prompts: list[str]) -> PromptEmbeddings:
        clip, t5 = zip(encoders.tokenizers, encoders.encoders, strict=True)
        return PromptEmbeddings(t5_states(*t5, prompts, T5_LENGTH), clip_pooled(*clip, prompts))

    def objective(self, base: Path, snr_gamma: float | None) -> FlowMatching:
        # Uniform noise levels without shift, and the error of the velocity.
        refuse_snr(snr_gamma)
        return FlowMatching(base, logit_normal=False, image_error=False)

    def original_weight(self, layer: str, config: Any) -> OriginalWeight:
        kind, number, inner = layer.split(".", 2)
        if kind == "single_transformer_blocks":
            return OriginalWeight(f"single_blocks.{number}.linear1", SINGLE_PARTS[inner], SINGLE_TOTAL)
        name, start, total = ORIGINAL_NAMES[inner]
        return OriginalWeight(f"double_blocks.{number}.{name}", start, total)

    def latent_channels(self, network: Any) -> int:
        # A packed channel holds four.
        return int(network.config.in_channels) // 4

    def predict(
        self,
        network: Any,
        latents: Tensor,
        timesteps: Tensor,
        prompts: PromptEmbeddings,
        crops: list[SizeAndCrop],
    ) -> Tensor:
        count, _, height, width = latents.shape
        guided = network.config.guidance_embeds
        packed: Tensor = network(
            hidden_states=pack(latents).to(network.dtype),
            # The network multiplies by 1000 again.
            timestep=timesteps / 1000,
            guidance=torch.full((count,), TRAINING_GUIDANCE, device=latents.device) if guided else None,
            encoder_hidden_states=prompts.states,
            pooled_projections=prompts.pooled,
            txt_ids=torch.zeros(prompts.states.shape[1], 3, device=latents.device),
            img_ids=positions(height, width, latents.device),
            return_dict=False,
        )[0]
        return unpack(packed, height, width)

    def needs_empty_prompt(self, pipeline: Any, guidance: float) -> bool:
        # Guidance is an input of the network.
        return False

    def denoise(self, pipeline: Any, inputs: DenoisingInputs) -> Tensor:
        height, width = inputs.noise.shape[2:]
        return unpack(self.run_pipeline(pipeline, inputs, pack(inputs.noise)), height, width)


def pack(latents: Tensor) -> Tensor:
    """Pack (B, C, h, w) latents into tokens of two by two: (B, h/2 * w/2, 4 C)."""
    count, channels, height, width = latents.shape
    squares = latents.unflatten(3, (width // 2, 2)).unflatten(2, (height // 2, 2))
    return squares.permute(0, 2, 4, 1, 3, 5).reshape(count, -1, 4 * channels)


def unpack(packed: Tensor, height: int, width: int) -> Tensor:
    """Invert `pack`."""
    count = len(packed)
    squares = packed.view(count, height // 2, width // 2, -1, 2, 2)
    return squares.permute(0, 3, 1, 4, 2, 5).reshape(count, -1, height, width)


@lru_cache(maxsize=4)
def positions(height: int, width: int, device: torch.device) -> Tensor:
    """Return (h/2 * w/2, 3): 0, the row and the column of each token, for its rotary embedding.

    Cached on the device, as every step needs the same; do not change it.
    """
    rows, columns = torch.meshgrid(torch.arange(height // 2), torch.arange(width // 2), indexing="ij")
    return torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).reshape(-1, 3).float().to(device)
