"""Tiny Stable Diffusion 3 and 3.5: two CLIPs, T5, a transformer over picture and text, a VAE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dev.tiny_models.diffusers_folder import (
    VAE_STRIDE,
    Sizes,
    clip_text_encoder,
    t5_text_encoder,
    vae,
    write_pipeline,
)
from dev.tiny_models.sizes import PICTURE_SIZE
from dev.tiny_models.tokenizers import clip_tokenizer, t5_tokenizer

MEDIUM_SEED, LARGE_SEED = 1005, 1006
CHANNELS = 16


def _tiny(**network: Any) -> Sizes:
    heads = {"attention_head_dim": 16, "num_attention_heads": 4, "caption_projection_dim": 64}
    # Positions in patches of two latents: pictures of up to 256 pixels.
    positions = {"sample_size": PICTURE_SIZE // VAE_STRIDE, "pos_embed_max_size": 16}
    # The CLIPs' states side by side are filled up with zeros to T5's width, so they may not be wider.
    return Sizes(clips=(16, 32), t5=64, network={**heads, **positions, **network})


TINY_MEDIUM, TINY_LARGE = _tiny(num_layers=2), _tiny(num_layers=3, qk_norm="rms_norm")


def write_medium(folder: Path, sizes: Sizes = TINY_MEDIUM) -> None:
    """Write a model with the parts and settings of stable-diffusion-3-medium."""
    _write(folder, MEDIUM_SEED, sizes)


def write_large(folder: Path) -> None:
    """Write a model with the parts and settings of stable-diffusion-3.5-large."""
    _write(folder, LARGE_SEED, TINY_LARGE)


def _write(folder: Path, seed: int, sizes: Sizes) -> None:
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    tokenizers = [clip_tokenizer(), clip_tokenizer(pad_token="!"), t5_tokenizer(sizes.t5_length)]
    torch.manual_seed(seed)
    parts = {
        "text_encoder": clip_text_encoder(tokenizers[0], sizes.clips[0], projection=True),
        "text_encoder_2": clip_text_encoder(tokenizers[1], sizes.clips[1], projection=True),
        "text_encoder_3": t5_text_encoder(tokenizers[2], sizes.t5, **sizes.t5_settings),
        "transformer": SD3Transformer2DModel(
            in_channels=CHANNELS,
            out_channels=CHANNELS,
            joint_attention_dim=sizes.t5,
            pooled_projection_dim=sum(sizes.clips),
            **sizes.network,
        ),
        "vae": vae(
            latent_channels=CHANNELS,
            scaling_factor=1.5305,
            shift_factor=0.0609,
            use_quant_conv=False,
            use_post_quant_conv=False,
            **sizes.vae,
        ),
        "tokenizer": tokenizers[0],
        "tokenizer_2": tokenizers[1],
        "tokenizer_3": tokenizers[2],
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0),
    }
    write_pipeline(folder, "StableDiffusion3Pipeline", parts)
