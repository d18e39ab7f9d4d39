"""A tiny SDXL: both text encoders, a U-Net with SDXL's conditioning, a VAE of stride 8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dev.tiny_models.diffusers_folder import VAE_STRIDE, Sizes, clip_text_encoder, vae, write_pipeline
from dev.tiny_models.sizes import PICTURE_SIZE
from dev.tiny_models.tokenizers import clip_tokenizer

SEED = 1001
TINY = Sizes(
    clips=(32, 32),
    network={
        "sample_size": PICTURE_SIZE // VAE_STRIDE,
        "block_out_channels": (32, 64),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "transformer_layers_per_block": (1, 1),
        "attention_head_dim": (2, 4),
        "norm_num_groups": 8,
    },
)
# Channels that encode each of SDXL's six sizes.
NUMBERS_A_SIZE = 8


def write(folder: Path, sizes: Sizes = TINY) -> None:
    """Write the model in diffusers' layout."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    tokenizers = [clip_tokenizer(), clip_tokenizer(pad_token="!")]
    torch.manual_seed(SEED)
    parts = {
        "text_encoder": clip_text_encoder(tokenizers[0], sizes.clips[0], projection=False),
        "text_encoder_2": clip_text_encoder(tokenizers[1], sizes.clips[1], projection=True),
        "unet": UNet2DConditionModel(**_conditioning(*sizes.clips), **sizes.network),
        "vae": vae(latent_channels=4, scaling_factor=0.13025, **sizes.vae),
        "tokenizer": tokenizers[0],
        "tokenizer_2": tokenizers[1],
        # The settings of stable-diffusion-xl-base-1.0's scheduler_config.json.
        "scheduler": EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="leading",
            steps_offset=1,
        ),
    }
    write_pipeline(folder, "StableDiffusionXLPipeline", parts, {"force_zeros_for_empty_prompt": True})


def model_index(scheduler: str = "EulerDiscreteScheduler") -> dict[str, Any]:
    """Return model_index.json of an SDXL pipeline; `scheduler` is a class of diffusers."""
    return {
        "_class_name": "StableDiffusionXLPipeline",
        "force_zeros_for_empty_prompt": True,
        "scheduler": ["diffusers", scheduler],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "tokenizer_2": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def _conditioning(first: int, second: int) -> dict[str, Any]:
    """U-Net settings of the conditioning: both texts' states, the second's pooled one, six sizes."""
    return {
        "use_linear_projection": True,
        "cross_attention_dim": first + second,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": NUMBERS_A_SIZE,
        "projection_class_embeddings_input_dim": 6 * NUMBERS_A_SIZE + second,
    }
