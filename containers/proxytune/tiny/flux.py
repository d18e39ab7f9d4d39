"""A tiny FLUX.1-dev: CLIP, T5, a transformer of both kinds of blocks with a number for guidance, a VAE."""

from __future__ import annotations

from pathlib import Path

import torch

from proxytune.tiny.diffusers_folder import clip_text_encoder, t5_text_encoder, vae, write_pipeline
from proxytune.tiny.tokenizers import clip_tokenizer, t5_tokenizer

SEED = 1007
CLIP_WIDTH, T5_WIDTH = 32, 32
T5_LENGTH = 64
CHANNELS = 16
HEAD_DIM, HEADS = 16, 4


def write(folder: Path) -> None:
    """Write the model in diffusers' layout."""
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    tokenizers = [clip_tokenizer(), t5_tokenizer(T5_LENGTH)]
    torch.manual_seed(SEED)
    parts = {
        "text_encoder": clip_text_encoder(tokenizers[0], CLIP_WIDTH, projection=False),
        "text_encoder_2": t5_text_encoder(tokenizers[1], T5_WIDTH),
        "transformer": FluxTransformer2DModel(
            in_channels=4 * CHANNELS,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=HEAD_DIM,
            num_attention_heads=HEADS,
            joint_attention_dim=T5_WIDTH,
            pooled_projection_dim=CLIP_WIDTH,
            guidance_embeds=True,
            axes_dims_rope=(4, 6, 6),
        ),
        "vae": vae(
            latent_channels=CHANNELS,
            scaling_factor=0.3611,
            shift_factor=0.1159,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        "tokenizer": tokenizers[0],
        "tokenizer_2": tokenizers[1],
        # The settings of FLUX.1-dev's scheduler_config.json: the shift grows with the picture.
        "scheduler": FlowMatchEulerDiscreteScheduler(
            shift=3.0,
            use_dynamic_shifting=True,
            base_shift=0.5,
            max_shift=1.15,
            base_image_seq_len=256,
            max_image_seq_len=4096,
        ),
    }
    write_pipeline(folder, "FluxPipeline", parts)
