"""A LlamaGen student at tiny size: the real classes, seeded random weights."""

import torch
from torch import nn

from proxytune.student.families.llamagen import (
    CaptionEncoder,
    LlamaGen,
    LlamaGenConfig,
    VQConfig,
    VQTokenizer,
)

WORDS = ["photo", "of", "sks", "dog", "cat", "on", "the", "beach", "in", "snow", "red"]


def randomise(model: nn.Module, seed: int) -> None:
    """Give every weight a seeded value; the official output layer starts at zero and would hide faults."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            scale = 1.0 if tensor.dim() < 2 else tensor[0].numel() ** -0.5
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * scale + ("norm" in name))


def tiny_gpt(**changes) -> LlamaGen:
    sizes = {
        "dim": 48,
        "n_layer": 2,
        "n_head": 4,
        "vocab_size": 64,
        "block_size": 16,
        "caption_dim": 24,
        "cls_token_num": 20,
        "multiple_of": 16,
    }
    model = LlamaGen(LlamaGenConfig(**{**sizes, **changes})).eval()
    randomise(model, 1)
    return model


def tiny_vq() -> VQTokenizer:
    config = VQConfig(
        codebook_size=64,
        codebook_embed_dim=4,
        z_channels=8,
        ch=8,
        ch_mult=(1, 2, 2),
        num_res_blocks=1,
        norm_groups=4,
    )
    tokenizer = VQTokenizer(config).eval()
    randomise(tokenizer, 2)
    return tokenizer


def tiny_captions(max_length: int = 20, dtype: torch.dtype = torch.float32) -> CaptionEncoder:
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), ("▁", -3.0)]
    pieces += [(f"▁{word}", -1.0) for word in ("a", *WORDS)]
    pieces += [(letter, -5.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    tokenizer = T5Tokenizer(vocab=pieces, extra_ids=0)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=24,
        d_kv=6,
        d_ff=32,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.1,
    )
    torch.manual_seed(3)
    return CaptionEncoder(T5EncoderModel(config).to(dtype), tokenizer, max_length)
