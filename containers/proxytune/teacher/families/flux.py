"""FLUX.1-dev: a transformer over packed latents and T5's text, guidance distilled into it as a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.teacher.exports import Place
from proxytune.teacher.families.base import Drawing, View
from proxytune.teacher.loading import load_named
from proxytune.teacher.memory import Activations, transformer_activations
from proxytune.teacher.objectives import FlowMatching, without_snr
from proxytune.teacher.text import TextEncoders, Texts, clip_pooled, load_encoders, t5_states

KINDS = ("CLIPTextModel", "T5EncoderModel")
# Tokens that T5 reads, as the pipeline does by default.
T5_LENGTH = 512
# Pixels along one side of a token: the VAE's eight, two by two latents.
PIXELS_A_TOKEN = 16
# Training with the 3.5 of drawing gives pictures with too much contrast (sd-scripts issues 1572, 1464).
TRAINING_GUIDANCE = 1.0
ATTENTION = (
    *("attn.add_k_proj", "attn.add_q_proj", "attn.add_v_proj", "attn.to_add_out"),
    *("attn.to_k", "attn.to_out.0", "attn.to_q", "attn.to_v"),
)
# A double block's layers in the authors' checkpoint: name, and which of how many equal parts of its rows.
AUTHORS_NAMES = {
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


class Flux:
    """A `family.DiffusionFamily`."""

    network = "transformer"
    targets: Mapping[str, Sequence[str]] = {
        "attention": ATTENTION,
        # The layers of diffusers' FLUX DreamBooth-LoRA script.
        "all": (
            *ATTENTION,
            *("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2"),
        ),
    }
    architecture = "flux-1-dev/lora"
    vae_float32 = False
    patch = 2
    blocks: Sequence[str] = ("FluxTransformerBlock", "FluxSingleTransformerBlock")

    def network_class(self) -> Any:
        """As `DiffusionFamily.network_class`."""
        from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel

        return FluxTransformer2DModel

    def loader(self) -> Any:
        """As `DiffusionFamily.loader`."""
        from diffusers.loaders.lora_pipeline import FluxLoraLoaderMixin

        return FluxLoraLoaderMixin

    def load_texts(self, base: Path, dtype: torch.dtype) -> TextEncoders:
        """As `DiffusionFamily.load_texts`."""
        return load_encoders(base, KINDS, dtype)

    def encode(self, texts: TextEncoders, prompts: list[str]) -> Texts:
        """As `DiffusionFamily.encode`: T5's states, CLIP's pooled vector."""
        clip, t5 = zip(texts.tokenizers, texts.encoders, strict=True)
        return Texts(t5_states(*t5, prompts, T5_LENGTH), clip_pooled(*clip, prompts))

    def objective(self, base: Path, snr_gamma: float | None) -> FlowMatching:
        """As `DiffusionFamily.objective`: uniform levels without shift, the velocity's error."""
        without_snr(snr_gamma)
        return FlowMatching(base, middling=False, as_picture=False)

    def place(self, layer: str, config: Any) -> Place:
        """As `DiffusionFamily.place`."""
        kind, number, inner = layer.split(".", 2)
        if kind == "single_transformer_blocks":
            return Place(f"single_blocks.{number}.linear1", SINGLE_PARTS[inner], SINGLE_TOTAL)
        name, start, total = AUTHORS_NAMES[inner]
        return Place(f"double_blocks.{number}.{name}", start, total)

    def activations(self, config: Any, size: int, text_length: int) -> Activations:
        """As `DiffusionFamily.activations`."""
        tokens = (size // PIXELS_A_TOKEN) ** 2 + text_length
        width = config.num_attention_heads * config.attention_head_dim
        return transformer_activations(tokens, width, config.num_layers + config.num_single_layers)

    def channels(self, network: Any) -> int:
        """As `DiffusionFamily.channels`: a packed one holds four."""
        return int(network.config.in_channels) // 4

    def answer(self, network: Any, latents: Tensor, times: Tensor, texts: Texts, views: list[View]) -> Tensor:
        """As `DiffusionFamily.answer`."""
        count, _, height, width = latents.shape
        guided = network.config.guidance_embeds
        packed: Tensor = network(
            hidden_states=pack(latents).to(network.dtype),
            # The network multiplies by 1000 again.
            timestep=times / 1000,
            guidance=torch.full((count,), TRAINING_GUIDANCE, device=latents.device) if guided else None,
            encoder_hidden_states=texts.states,
            pooled_projections=texts.pooled,
            txt_ids=torch.zeros(texts.states.shape[1], 3, device=latents.device),
            img_ids=places(height, width, latents.device),
            return_dict=False,
        )[0]
        return unpack(packed, height, width)

    def pipeline(self, base: Path, network: Any, vae: Any) -> Any:
        """As `DiffusionFamily.pipeline`."""
        from diffusers.pipelines.flux.pipeline_flux import FluxPipeline

        names = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
        return FluxPipeline(
            transformer=network, vae=vae, scheduler=load_named(base, "scheduler"), **dict.fromkeys(names)
        )

    def needs_empty(self, pipeline: Any, guidance: float) -> bool:
        """As `DiffusionFamily.needs_empty`: guidance is a number that the network is told."""
        return False

    def draw(self, pipeline: Any, drawing: Drawing) -> Tensor:
        """As `DiffusionFamily.draw`."""
        network = pipeline.transformer
        height, width = drawing.noise.shape[2:]
        packed = pipeline(
            prompt_embeds=drawing.texts.states,
            pooled_prompt_embeds=drawing.texts.pooled,
            latents=pack(drawing.noise).to(network.device, network.dtype),
            generator=drawing.generators,
            height=drawing.size,
            width=drawing.size,
            num_inference_steps=drawing.steps,
            guidance_scale=drawing.guidance,
            output_type="latent",
        ).images
        return unpack(packed, height, width)


def pack(latents: Tensor) -> Tensor:
    """(B, C, h, w) as rows of squares of two by two: (B, h/2 * w/2, 4 C)."""
    count, channels, height, width = latents.shape
    squares = latents.unflatten(3, (width // 2, 2)).unflatten(2, (height // 2, 2))
    return squares.permute(0, 2, 4, 1, 3, 5).reshape(count, -1, 4 * channels)


def unpack(packed: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `pack`."""
    count = len(packed)
    squares = packed.view(count, height // 2, width // 2, -1, 2, 2)
    return squares.permute(0, 3, 1, 4, 2, 5).reshape(count, -1, height, width)


@lru_cache(maxsize=4)
def places(height: int, width: int, device: torch.device) -> Tensor:
    """(h/2 * w/2, 3): of each square 0, its row, its column; what the rotations of its queries tell.

    Kept on the device, as every step asks for the same; not to be changed.
    """
    rows, columns = torch.meshgrid(torch.arange(height // 2), torch.arange(width // 2), indexing="ij")
    return torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).reshape(-1, 3).float().to(device)
