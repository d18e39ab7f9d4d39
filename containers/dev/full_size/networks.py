"""The sizes of the catalogue's large networks, as their published config files state them, and the networks.

A network is built on the device where it is used, with random weights: on `meta` it takes no memory and
computes nothing, so its work can be counted without a GPU; on a GPU it needs as much as the real one.

Sources: config.json of each model at the commit that models.json imports; Lumina's and LlamaGen's of the
official repositories. The numbers of parameters are those that the authors publish; a test compares them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

VAE: Mapping[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "sample_size": 1024,
}
_SIXTEEN_CHANNELS: Mapping[str, Any] = {
    **VAE,
    "latent_channels": 16,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
_SD3: Mapping[str, Any] = {
    "in_channels": 16,
    "out_channels": 16,
    "sample_size": 128,
    "patch_size": 2,
    "pos_embed_max_size": 192,
    "attention_head_dim": 64,
    "joint_attention_dim": 4096,
    "pooled_projection_dim": 2048,
}

# Catalogue id -> settings of the class that the family names.
TEACHER_NETWORKS: Mapping[str, Mapping[str, Any]] = {
    "sdxl": {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 2,
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "sd3-medium": {**_SD3, "num_layers": 24, "num_attention_heads": 24, "caption_projection_dim": 1536},
    "sd3.5-large": {
        **_SD3,
        "num_layers": 38,
        "num_attention_heads": 38,
        "caption_projection_dim": 2432,
        "qk_norm": "rms_norm",
    },
    "flux-dev": {
        "in_channels": 64,
        "num_layers": 19,
        "num_single_layers": 38,
        "attention_head_dim": 128,
        "num_attention_heads": 24,
        "joint_attention_dim": 4096,
        "pooled_projection_dim": 768,
        "guidance_embeds": True,
        "axes_dims_rope": (16, 56, 56),
    },
}
VAES: Mapping[str, Mapping[str, Any]] = {
    "sdxl": {**VAE, "latent_channels": 4, "scaling_factor": 0.13025},
    "sd3-medium": {**_SIXTEEN_CHANNELS, "scaling_factor": 1.5305, "shift_factor": 0.0609},
    "sd3.5-large": {**_SIXTEEN_CHANNELS, "scaling_factor": 1.5305, "shift_factor": 0.0609},
    "flux-dev": {**_SIXTEEN_CHANNELS, "scaling_factor": 0.3611, "shift_factor": 0.1159},
}
# Tokens of a prompt, width of their states, width of the pooled vector. SDXL: two CLIPs side by side. SD3: 77
# of CLIP and 256 of T5. FLUX: 512 of T5, and CLIP's pooled vector.
TEXTS: Mapping[str, tuple[int, int, int]] = {
    "sdxl": (77, 2048, 1280),
    "sd3-medium": (77 + 256, 4096, 2048),
    "sd3.5-large": (77 + 256, 4096, 2048),
    "flux-dev": (512, 4096, 768),
}

LLAMAGEN_XL: Mapping[str, Any] = {"dim": 1280, "n_layer": 36, "n_head": 20, "block_size": 1024}
# The defaults of their config classes are the official sizes.
LLAMAGEN_VQ: Mapping[str, Any] = {}
LUMINA_VQ: Mapping[str, Any] = {}
LUMINA_7B: Mapping[str, Any] = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 10240,
}
LUMINA_VOCABULARY, LUMINA_CODES = 65536, 8192
JANUS_TEXT: Mapping[str, Any] = {
    "model_type": "llama",
    "vocab_size": 102400,
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "max_position_embeddings": 16384,
}
# The class builds the tower that reads images and drops it again; only the sizes that it shares are right.
JANUS_VISION: Mapping[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 384,
    "patch_size": 16,
    "projection_dim": 2048,
    "num_image_tokens": 576,
}
JANUS_VQ: Mapping[str, Any] = {
    "embed_dim": 8,
    "num_embeddings": 16384,
    "latent_channels": 256,
    "base_channels": 128,
    "channel_multiplier": [1, 1, 2, 2, 4],
    "num_res_blocks": 2,
    "projection_dim": 2048,
    "image_token_embed_dim": 2048,
}


@contextmanager
def made_on(device: torch.device | str, dtype: torch.dtype) -> Iterator[None]:
    """Within this context new parameters are of this type and on this device."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


def teacher_network(
    network_class: Any, model: str, device: torch.device | str, dtype: torch.dtype, **changes: Any
) -> Any:
    """Return a teacher's network with random weights, frozen, in eval mode.

    Args:
        network_class: diffusers' class, as the family names it.
        model: catalogue id.
        changes: settings that differ, such as fewer layers.
    """
    with made_on(device, dtype):
        network = network_class(**{**TEACHER_NETWORKS[model], **changes})
    # What the class computes without parameters, such as tables of positions, is float32 by default.
    # diffusers' own `to` warns about types of parts that these models do not have.
    return torch.nn.Module.to(network, dtype).requires_grad_(False).eval()


def vae(model: str, device: torch.device | str, dtype: torch.dtype) -> Any:
    """Return a teacher's VAE with random weights, frozen, in eval mode."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    with made_on(device, dtype):
        made = AutoencoderKL(**VAES[model])
    return torch.nn.Module.to(made, dtype).requires_grad_(False).eval()


def student_transformer(model: str, device: torch.device | str, dtype: torch.dtype, **changes: Any) -> Any:
    """Return a student's transformer with random weights, frozen, in eval mode.

    Args:
        model: catalogue id.
        changes: settings that differ, as for teachers.
    """
    with made_on(device, dtype):
        transformer = _TRANSFORMERS[model](**changes)
    return torch.nn.Module.to(transformer, dtype).requires_grad_(False).eval()


def image_tokenizer(model: str, device: torch.device | str) -> Any:
    """Return a student's image tokenizer with random weights: float32, frozen, in eval mode."""
    with made_on(device, torch.float32):
        tokenizer = _IMAGE_TOKENIZERS[model]()
    return tokenizer.requires_grad_(False).eval()


def janus_config(**text: Any) -> Any:
    """Return Janus-Pro 1B's config; `text` are settings of its language model that differ."""
    from transformers import JanusConfig

    return JanusConfig(
        text_config={**JANUS_TEXT, **text},
        vision_config=dict(JANUS_VISION),
        vq_config=dict(JANUS_VQ),
        tie_word_embeddings=False,
    )


def _llamagen(**changes: Any) -> Any:
    from proxytune.student.families.llamagen.config import LlamaGenConfig
    from proxytune.student.families.llamagen.transformer import LlamaGen

    return LlamaGen(LlamaGenConfig(**{**LLAMAGEN_XL, **changes}))


def _lumina(**changes: Any) -> Any:
    from proxytune.student.families.lumina.transformer import Lumina, chameleon_config

    # The class wants a vocabulary; its names matter to prompts only.
    return Lumina(
        chameleon_config(
            {"vocab_size": LUMINA_VOCABULARY, "vocabulary_map": {"<s>": 0}, **LUMINA_7B, **changes}
        )
    )


def _janus(**changes: Any) -> Any:
    from proxytune.student.families.janus.transformer import Janus

    return Janus(janus_config(**changes))


def _llamagen_vq() -> Any:
    from proxytune.student.families.llamagen.config import VQConfig
    from proxytune.student.families.llamagen.vq import VQTokenizer

    return VQTokenizer(VQConfig(**LLAMAGEN_VQ))


def _lumina_vq() -> Any:
    from proxytune.student.families.lumina.vq import VQGAN
    from proxytune.student.families.lumina.vq_config import VQGANConfig

    return VQGAN(VQGANConfig(**LUMINA_VQ))


def _janus_vq() -> Any:
    from proxytune.student.families.janus.vq import JanusTokenizer

    return JanusTokenizer(janus_config().vq_config)


_TRANSFORMERS = {"llamagen-xl": _llamagen, "lumina-mgpt-7b": _lumina, "janus-pro-1b": _janus}
_IMAGE_TOKENIZERS = {"llamagen-xl": _llamagen_vq, "lumina-mgpt-7b": _lumina_vq, "janus-pro-1b": _janus_vq}
