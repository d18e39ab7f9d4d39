"""A tiny CLIP, DINO and SigLIP 2, as the evaluation reads them, and a tiny CLIPSeg, which makes masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from dev.tiny_models.tokenizers import CLIP_LENGTH, clip_tokenizer

CLIP_SEED, DINO_SEED, CLIPSEG_SEED, SIGLIP_SEED = 1003, 1004, 1006, 1007
DREAMSIM_SEED = 1008
WIDTH = 32
# Pixels of the picture that both see, and of its patches.
SIZE, PATCH = 64, 16
# OpenAI's CLIP and ImageNet: mean and deviation of the pictures the encoders were trained on.
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def write_clip(folder: Path) -> None:
    """Write a CLIPModel with its tokenizer and preprocessor_config.json."""
    from transformers import CLIPConfig, CLIPModel

    tokenizer = clip_tokenizer()
    config = CLIPConfig(**_clip_sizes(tokenizer))
    torch.manual_seed(CLIP_SEED)
    CLIPModel(config).eval().save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    preprocessor = {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": SIZE},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": SIZE, "width": SIZE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": CLIP_MEAN,
        "image_std": CLIP_STD,
    }
    _write_json(folder / "preprocessor_config.json", preprocessor)


def write_dino(folder: Path) -> None:
    """Write a ViTModel without pooler, as facebook/dino-vits16 is used."""
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=SIZE,
        patch_size=PATCH,
    )
    torch.manual_seed(DINO_SEED)
    ViTModel(config, add_pooling_layer=False).eval().save_pretrained(folder, safe_serialization=True)
    _write_vit_preprocessor(folder, resample=3)


def write_clipseg(folder: Path) -> None:
    """Write a CLIPSegForImageSegmentation with its tokenizer and preprocessor_config.json."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    tokenizer = clip_tokenizer()
    config = CLIPSegConfig(
        **_clip_sizes(tokenizer),
        extract_layers=[0, 1],
        reduce_dim=WIDTH // 2,
        decoder_num_attention_heads=4,
        decoder_intermediate_size=WIDTH,
    )
    torch.manual_seed(CLIPSEG_SEED)
    CLIPSegForImageSegmentation(config).eval().save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    _write_vit_preprocessor(folder, resample=2)


def write_siglip(folder: Path) -> None:
    """Write a Siglip2Model of variable resolution with a tokenizer and preprocessor_config.json."""
    from transformers import Siglip2Config, Siglip2Model

    tokenizer = clip_tokenizer()
    sizes = _clip_sizes(tokenizer)
    side = SIZE // PATCH
    vision = {key: value for key, value in sizes["vision_config"].items() if key != "image_size"}
    config = Siglip2Config(
        text_config={**sizes["text_config"], "projection_size": WIDTH},
        vision_config={**vision, "num_patches": side * side},
    )
    torch.manual_seed(SIGLIP_SEED)
    Siglip2Model(config).eval().save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    preprocessor = {
        "image_processor_type": "Siglip2ImageProcessor",
        "patch_size": PATCH,
        "max_num_patches": side * side,
        "do_resize": True,
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    _write_json(folder / "preprocessor_config.json", preprocessor)


def write_dreamsim(folder: Path) -> None:
    """Write DreamSim's three encoders, a folder each."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, ViTConfig, ViTModel

    _write_json(folder / "config.json", {"family": "dreamsim"})
    sizes = _clip_sizes(clip_tokenizer())["vision_config"]
    torch.manual_seed(DREAMSIM_SEED)
    ViTModel(ViTConfig(**sizes), add_pooling_layer=False).eval().save_pretrained(folder / "dino")
    for part, activation in (("clip", "quick_gelu"), ("open-clip", "gelu")):
        config = CLIPVisionConfig(**sizes, projection_dim=WIDTH, hidden_act=activation)
        CLIPVisionModelWithProjection(config).eval().save_pretrained(folder / part)


def _clip_sizes(tokenizer: Any) -> dict[str, Any]:
    """Settings of a CLIP of both sides, which CLIPSeg's is too."""
    sizes = {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    return {
        "text_config": {
            **sizes,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": CLIP_LENGTH,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        "vision_config": {**sizes, "image_size": SIZE, "patch_size": PATCH},
        "projection_dim": WIDTH,
    }


def _write_vit_preprocessor(folder: Path, *, resample: int) -> None:
    """Write the preprocessing of a ViT; `resample` is Pillow's number: 2 is bilinear, 3 bicubic."""
    preprocessor = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": SIZE, "width": SIZE},
        "resample": resample,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
    }
    _write_json(folder / "preprocessor_config.json", preprocessor)


def _write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
