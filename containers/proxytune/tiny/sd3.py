"""Tiny Stable Diffusion 3 and 3.5: two CLIPs, T5, a transformer over picture and text, a VAE."""

from __future__ import annotations

from pathlib import Path

import torch

from proxytune.tiny import PICTURE_SIZE
from proxytune.tiny.diffusers_folder import (
    VAE_STRIDE,
    clip_text_encoder,
    t5_text_encoder,
    vae,
    write_pipeline,
)
from proxytune.tiny.tokenizers import clip_tokenizer, t5_tokenizer

MEDIUM_SEED, LARGE_SEED = 1005, 1006
# The CLIPs' states side by side are filled up with zeros to T5's width, so they may not be wider.
CLIP_WIDTHS, T5_WIDTH = (16, 32), 64
T5_LENGTH = 64
CHANNELS = 16
HEAD_DIM, HEADS = 16, 4


def write_medium(folder: Path) -> None:
    """Write a model with the parts and settings of stable-diffusion-3-medium."""
    _write(folder, MEDIUM_SEED, layers=2, qk_norm=None)


def write_large(folder: Path) -> None:
    """Write a model with the parts and settings of stable-diffusion-3.5-large."""
    _write(folder, LARGE_SEED, layers=3, qk_norm="rms_norm")


def _write(folder: Path, seed: int, *, layers: int, qk_norm: str | None) -> None:
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    tokenizers = [clip_tokenizer(), clip_tokenizer(pad_token="!"), t5_tokenizer(T5_LENGTH)]
    torch.manual_seed(seed)
    parts = {
        "text_encoder": clip_text_encoder(tokenizers[0], CLIP_WIDTHS[0], projection=True),
        "text_encoder_2": clip_text_encoder(tokenizers[1], CLIP_WIDTHS[1], projection=True),
        "text_encoder_3": t5_text_encoder(tokenizers[2], T5_WIDTH),
        "transformer": SD3Transformer2DModel(
            sample_size=PICTURE_SIZE // VAE_STRIDE,
            in_channels=CHANNELS,
            out_channels=CHANNELS,
            num_layers=layers,
            attention_head_dim=HEAD_DIM,
            num_attention_heads=HEADS,
            joint_attention_dim=T5_WIDTH,
            caption_projection_dim=HEAD_DIM * HEADS,
            pooled_projection_dim=sum(CLIP_WIDTHS),
            # In patches of two latents: pictures of up to 256 pixels.
            pos_embed_max_size=16,
            qk_norm=qk_norm,
        ),
        "vae": vae(
            latent_channels=CHANNELS,
            scaling_factor=1.5305,
            shift_factor=0.0609,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        "tokenizer": tokenizers[0],
        "tokenizer_2": tokenizers[1],
        "tokenizer_3": tokenizers[2],
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0),
    }
    write_pipeline(folder, "StableDiffusion3Pipeline", parts)
