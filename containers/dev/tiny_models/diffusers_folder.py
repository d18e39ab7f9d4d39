"""Parts that the tiny teachers have in common: text encoders, VAEs, and the folder they are written into."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.tiny_models.sizes import PICTURE_SIZE
from dev.tiny_models.tokenizers import CLIP_LENGTH

VAE_STRIDE = 8


@dataclass(frozen=True)
class Sizes:
    """Sizes of a model's parts; its structure is not among them.

    Attributes:
        clips: widths of the CLIP text encoders.
        network: settings of the denoising network.
        t5: width of the T5 encoder, where there is one.
        t5_length: tokens that it reads.
        t5_settings, vae: settings that differ from the tiny ones.
    """

    clips: tuple[int, ...]
    network: Mapping[str, Any]
    t5: int = 0
    t5_length: int = 64
    t5_settings: Mapping[str, Any] = field(default_factory=dict)
    vae: Mapping[str, Any] = field(default_factory=dict)


def write_pipeline(
    folder: Path, kind: str, parts: Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> None:
    """Write a pipeline's folder as diffusers' own `save_pretrained` does.

    Args:
        kind: class of the pipeline.
        parts: models, tokenizers and scheduler by their folders.
        settings: more entries of model_index.json.
    """
    index: dict[str, Any] = {"_class_name": kind, **(settings or {})}
    for name, part in sorted(parts.items()):
        library = type(part).__module__.partition(".")[0]
        index[name] = [library, type(part).__name__]
        if hasattr(part, "eval"):
            part.eval().save_pretrained(folder / name, safe_serialization=True)
        else:
            part.save_pretrained(folder / name)
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", "utf-8")


def clip_text_encoder(tokenizer: Any, width: int, *, projection: bool) -> Any:
    """A CLIP text encoder of three layers with fresh weights."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=CLIP_LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModelWithProjection(config) if projection else CLIPTextModel(config)


def t5_text_encoder(tokenizer: Any, width: int, **changes: Any) -> Any:
    """A T5 encoder with fresh weights, as T5 1.1 and flan-t5 are; two layers by default."""
    from transformers import T5Config, T5EncoderModel

    sizes: dict[str, Any] = {"d_kv": 8, "d_ff": 2 * width, "num_layers": 2, "num_heads": 4}
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=width,
        feed_forward_proj="gated-gelu",
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **{**sizes, **changes},
    )
    return T5EncoderModel(config).eval()


def vae(**changes: Any) -> Any:
    """A VAE of stride 8 with fresh weights."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    sizes: dict[str, Any] = {
        "sample_size": PICTURE_SIZE,
        "block_out_channels": (16, 16, 32, 32),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 1,
        "norm_num_groups": 8,
    }
    return AutoencoderKL(**{**sizes, **changes})
