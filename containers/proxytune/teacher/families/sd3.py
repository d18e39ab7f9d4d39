"""Stable Diffusion 3 and 3.5: a transformer over image and text, trained by rectified flow.

Medium and Large differ in their configs (blocks, heads, norms of queries and keys), not in code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from proxytune.teacher.conditioning import SizeAndCrop
from proxytune.teacher.families.base import JOINT_TARGETS, DiffusionFamily
from proxytune.teacher.kohya_export import OriginalWeight
from proxytune.teacher.objectives import FlowMatching, refuse_snr
from proxytune.teacher.text import PromptEmbeddings, TextEncoders, clip_states, t5_states

# Tokens that T5 reads, as in the pipeline by default. Training with fewer would see another prompt.
T5_LENGTH = 256
# A block's layers in the authors' checkpoint: name, and which of how many equal parts of its rows.
ORIGINAL_NAMES = {
    "attn.to_q": ("x_block.attn.qkv", 0, 3),
    "attn.to_k": ("x_block.attn.qkv", 1, 3),
    "attn.to_v": ("x_block.attn.qkv", 2, 3),
    "attn.to_out.0": ("x_block.attn.proj", 0, 1),
    "attn.add_q_proj": ("context_block.attn.qkv", 0, 3),
    "attn.add_k_proj": ("context_block.attn.qkv", 1, 3),
    "attn.add_v_proj": ("context_block.attn.qkv", 2, 3),
    "attn.to_add_out": ("context_block.attn.proj", 0, 1),
    "ff.net.0.proj": ("x_block.mlp.fc1", 0, 1),
    "ff.net.2": ("x_block.mlp.fc2", 0, 1),
    "ff_context.net.0.proj": ("context_block.mlp.fc1", 0, 1),
    "ff_context.net.2": ("context_block.mlp.fc2", 0, 1),
}


class SD3(DiffusionFamily):
    """Stable Diffusion 3 and 3.5."""

    network = "transformer"
    network_type = "diffusers.models.transformers.transformer_sd3:SD3Transformer2DModel"
    lora_type = "diffusers.loaders.lora_pipeline:SD3LoraLoaderMixin"
    pipeline_type = (
        "diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3:StableDiffusion3Pipeline"
    )
    text_encoders = ("CLIPTextModelWithProjection", "CLIPTextModelWithProjection", "T5EncoderModel")
    targets = JOINT_TARGETS
    architecture = "stable-diffusion-3/lora"
    vae_float32 = True
    patch = 2
    blocks = ("JointTransformerBlock",)

    def encode_prompts(self, encoders: TextEncoders, prompts: list[str]) -> PromptEmbeddings:
        # The CLIPs' states side by side, padded to T5's width, then T5's.
        pairs = list(zip(encoders.tokenizers, encoders.encoders, strict=True))
        clips = [clip_states(tokenizer, encoder, prompts) for tokenizer, encoder in pairs[:2]]
        long = t5_states(*pairs[2], prompts, T5_LENGTH)
        short = torch.cat([states for states, _ in clips], dim=-1)
        short = F.pad(short, (0, long.shape[-1] - short.shape[-1]))
        return PromptEmbeddings(
            torch.cat([short, long], dim=1), torch.cat([pooled for _, pooled in clips], dim=-1)
        )

    def objective(self, base: Path, snr_gamma: float | None) -> FlowMatching:
        # Logit-normal noise levels and the error of the image, as in diffusers' script.
        refuse_snr(snr_gamma)
        return FlowMatching(base, logit_normal=True, image_error=True)

    def original_weight(self, layer: str, config: Any) -> OriginalWeight:
        _, number, inner = layer.split(".", 2)
        name, start, total = ORIGINAL_NAMES[inner]
        return OriginalWeight(f"joint_blocks.{number}.{name}", start, total)

    def predict(
        self,
        network: Any,
        latents: Tensor,
        timesteps: Tensor,
        prompts: PromptEmbeddings,
        crops: list[SizeAndCrop],
    ) -> Tensor:
        prediction: Tensor = network(
            hidden_states=latents.to(network.dtype),
            timestep=timesteps,
            encoder_hidden_states=prompts.states,
            pooled_projections=prompts.pooled,
            return_dict=False,
        )[0]
        return prediction
