"""Stable Diffusion 3 and 3.5: a transformer over picture and text, trained by rectified flow.

Medium and Large differ in what their folders say (blocks, heads, norms of queries and keys), not in code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from proxytune.teacher.exports import Place
from proxytune.teacher.families.base import Drawing, View
from proxytune.teacher.loading import load_named
from proxytune.teacher.memory import Activations, transformer_activations
from proxytune.teacher.objectives import FlowMatching, without_snr
from proxytune.teacher.text import TextEncoders, Texts, clip_answers, load_encoders, t5_states

KINDS = ("CLIPTextModelWithProjection", "CLIPTextModelWithProjection", "T5EncoderModel")
# Tokens that T5 reads, as the pipeline does by default. Training with fewer would show another prompt.
T5_LENGTH = 256
# Pixels along one side of a token: the VAE's eight, two by two latents.
PIXELS_A_TOKEN = 16
# diffusers' SD3 DreamBooth-LoRA script.
ATTENTION = (
    *("attn.add_k_proj", "attn.add_q_proj", "attn.add_v_proj", "attn.to_add_out"),
    *("attn.to_k", "attn.to_out.0", "attn.to_q", "attn.to_v"),
)
# A block's layers in the authors' checkpoint: name, and which of how many equal parts of its rows.
AUTHORS_NAMES = {
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


class SD3:
    """A `family.DiffusionFamily`."""

    network = "transformer"
    targets: Mapping[str, Sequence[str]] = {
        "attention": ATTENTION,
        "all": (
            *ATTENTION,
            *("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2"),
        ),
    }
    architecture = "stable-diffusion-3/lora"
    vae_float32 = True
    patch = 2
    blocks: Sequence[str] = ("JointTransformerBlock",)

    def network_class(self) -> Any:
        """As `DiffusionFamily.network_class`."""
        from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

        return SD3Transformer2DModel

    def loader(self) -> Any:
        """As `DiffusionFamily.loader`."""
        from diffusers.loaders.lora_pipeline import SD3LoraLoaderMixin

        return SD3LoraLoaderMixin

    def load_texts(self, base: Path, dtype: torch.dtype) -> TextEncoders:
        """As `DiffusionFamily.load_texts`."""
        return load_encoders(base, KINDS, dtype)

    def encode(self, texts: TextEncoders, prompts: list[str]) -> Texts:
        """As `DiffusionFamily.encode`: the CLIPs' states side by side, filled up to T5's width, then T5's."""
        pairs = list(zip(texts.tokenizers, texts.encoders, strict=True))
        clips = [clip_answers(tokenizer, encoder, prompts) for tokenizer, encoder in pairs[:2]]
        long = t5_states(*pairs[2], prompts, T5_LENGTH)
        short = torch.cat([states for states, _ in clips], dim=-1)
        short = F.pad(short, (0, long.shape[-1] - short.shape[-1]))
        return Texts(torch.cat([short, long], dim=1), torch.cat([pooled for _, pooled in clips], dim=-1))

    def objective(self, base: Path, snr_gamma: float | None) -> FlowMatching:
        """As `DiffusionFamily.objective`: logit-normal levels, the picture's error (diffusers' script)."""
        without_snr(snr_gamma)
        return FlowMatching(base, middling=True, as_picture=True)

    def place(self, layer: str, config: Any) -> Place:
        """As `DiffusionFamily.place`."""
        _, number, inner = layer.split(".", 2)
        name, start, total = AUTHORS_NAMES[inner]
        return Place(f"joint_blocks.{number}.{name}", start, total)

    def activations(self, config: Any, size: int, text_length: int) -> Activations:
        """As `DiffusionFamily.activations`."""
        tokens = (size // PIXELS_A_TOKEN) ** 2 + text_length
        width = config.num_attention_heads * config.attention_head_dim
        return transformer_activations(tokens, width, config.num_layers)

    def channels(self, network: Any) -> int:
        """As `DiffusionFamily.channels`."""
        return int(network.config.in_channels)

    def answer(self, network: Any, latents: Tensor, times: Tensor, texts: Texts, views: list[View]) -> Tensor:
        """As `DiffusionFamily.answer`."""
        answer: Tensor = network(
            hidden_states=latents.to(network.dtype),
            timestep=times,
            encoder_hidden_states=texts.states,
            pooled_projections=texts.pooled,
            return_dict=False,
        )[0]
        return answer

    def pipeline(self, base: Path, network: Any, vae: Any) -> Any:
        """As `DiffusionFamily.pipeline`."""
        from diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3 import (
            StableDiffusion3Pipeline,
        )

        names = [f"{part}{ending}" for part in ("text_encoder", "tokenizer") for ending in ("", "_2", "_3")]
        return StableDiffusion3Pipeline(
            transformer=network,
            vae=vae,
            scheduler=load_named(base, "scheduler"),
            **dict.fromkeys(names),
        )

    def needs_empty(self, pipeline: Any, guidance: float) -> bool:
        """As `DiffusionFamily.needs_empty`."""
        return guidance > 1

    def draw(self, pipeline: Any, drawing: Drawing) -> Tensor:
        """As `DiffusionFamily.draw`."""
        network, texts, empty = pipeline.transformer, drawing.texts, drawing.empty
        latents: Tensor = pipeline(
            prompt_embeds=texts.states,
            pooled_prompt_embeds=texts.pooled,
            negative_prompt_embeds=None if empty is None else empty.states,
            negative_pooled_prompt_embeds=None if empty is None else empty.pooled,
            latents=drawing.noise.to(network.device, network.dtype),
            generator=drawing.generators,
            height=drawing.size,
            width=drawing.size,
            num_inference_steps=drawing.steps,
            guidance_scale=drawing.guidance,
            output_type="latent",
        ).images
        return latents
