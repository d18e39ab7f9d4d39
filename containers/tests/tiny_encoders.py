"""Folders of tiny CLIP and DINO models (transformers' classes with random weights), and fixtures of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import CLIPConfig, CLIPModel, ViTConfig, ViTModel

from proxytune.metrics.encoders import ClipEncoder, DinoEncoder

IMAGE_SIZE = 32
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]


def make_clip(folder: Path) -> Path:
    """A CLIPModel layout of about 100 kB: letters are its only tokens."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    start, end = tokens.index("<|startoftext|>"), tokens.index("<|endoftext|>")
    text = {
        "vocab_size": len(tokens),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 40,
        "projection_dim": 24,
        "bos_token_id": start,
        "eos_token_id": end,
        "pad_token_id": end,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": IMAGE_SIZE,
        "patch_size": 8,
        "projection_dim": 24,
    }
    torch.manual_seed(11)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    _spread(model)
    model.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({token: rank for rank, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 40})
    )
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "size": {"shortest_edge": IMAGE_SIZE},
                "crop_size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
                "image_mean": CLIP_MEAN,
                "image_std": CLIP_STD,
                "resample": 3,
            }
        )
    )
    return folder


def make_dino(folder: Path) -> Path:
    """A ViTModel layout without pooler, as the imported DINO has it."""
    torch.manual_seed(12)
    config = ViTConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=IMAGE_SIZE,
        patch_size=8,
    )
    model = ViTModel(config, add_pooling_layer=False)
    _spread(model)
    model.save_pretrained(folder)
    return folder


def _spread(model: torch.nn.Module) -> None:
    """Initial weights are so small that every picture would get nearly the same vector."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(8)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_clip(folder / "clip")
    make_dino(folder / "dino")
    return folder


@pytest.fixture(scope="session")
def clip(models: Path) -> ClipEncoder:
    return ClipEncoder(models / "clip", torch.device("cpu"))


@pytest.fixture(scope="session")
def dino(models: Path) -> DinoEncoder:
    return DinoEncoder(models / "dino", torch.device("cpu"))
