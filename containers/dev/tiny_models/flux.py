"""A tiny FLUX.1-dev: CLIP, T5, a transformer of both kinds of blocks with a number for guidance, a VAE."""

from __future__ import annotations

from pathlib import Path

import torch

from dev.tiny_models.diffusers_folder import Sizes, clip_text_encoder, t5_text_encoder, vae, write_pipeline
from dev.tiny_models.tokenizers import clip_tokenizer, t5_tokenizer

SEED = 1007
CHANNELS = 16
TINY = Sizes(
    clips=(32,),
    t5=32,
    network={
        "num_layers": 2,
        "num_single_layers": 2,
        "attention_head_dim": 16,
        "num_attention_heads": 4,
        "axes_dims_rope": (4, 6, 6),
    },
)


def write(folder: Path, sizes: Sizes = TINY) -> None:
    """Write the model in diffusers' layout."""
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    tokenizers = [clip_tokenizer(), t5_tokenizer(sizes.t5_length)]
    torch.manual_seed(SEED)
    parts = {
        "text_encoder": clip_text_encoder(tokenizers[0], sizes.clips[0], projection=False),
        "text_encoder_2": t5_text_encoder(tokenizers[1], sizes.t5, **sizes.t5_settings),
        "transformer": FluxTransformer2DModel(
            in_channels=4 * CHANNELS,
            joint_attention_dim=sizes.t5,
            pooled_projection_dim=sizes.clips[0],
            guidance_embeds=True,
            **sizes.network,
        ),
        "vae": vae(
            latent_channels=CHANNELS,
            scaling_factor=0.3611,
            shift_factor=0.1159,
            use_quant_conv=False,
            use_post_quant_conv=False,
            **sizes.vae,
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
