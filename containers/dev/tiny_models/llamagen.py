"""A tiny LlamaGen: GPT, VQ tokenizer, T5 encoder and its tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dev.tiny_models.diffusers_folder import t5_text_encoder
from dev.tiny_models.sizes import PICTURE_SIZE
from dev.tiny_models.tokenizers import t5_tokenizer

SEED = 1002
WIDTH = 64
CAPTION_WIDTH = 32
CAPTION_SLOTS = 120
CODES = 256
# Stride 8 instead of 16: 8 x 8 tokens, so that sequences are long enough to be sequences.
VQ_LEVELS = (1, 1, 2, 2)
# Official training starts from an all-zero output layer, which would make every token as likely.
OUTPUT_DEVIATION = 0.2


def write(folder: Path) -> None:
    """Write the model in the layout of a LlamaGen folder."""
    from proxytune.student.families.llamagen import (
        CaptionEncoder,
        LlamaGen,
        LlamaGenConfig,
        Student,
        VQConfig,
        VQTokenizer,
        save_student,
    )

    torch.manual_seed(SEED)
    vq_config = VQConfig(
        codebook_size=CODES, z_channels=32, ch=16, ch_mult=VQ_LEVELS, num_res_blocks=1, norm_groups=8
    )
    gpt = LlamaGen(
        LlamaGenConfig(
            dim=WIDTH,
            n_layer=2,
            n_head=4,
            multiple_of=32,
            caption_dim=CAPTION_WIDTH,
            cls_token_num=CAPTION_SLOTS,
            vocab_size=CODES,
            block_size=(PICTURE_SIZE // vq_config.stride) ** 2,
        )
    )
    torch.nn.init.normal_(gpt.output.weight, std=OUTPUT_DEVIATION)
    vq = VQTokenizer(vq_config)
    captions = CaptionEncoder(*_text_encoder(), max_length=CAPTION_SLOTS)
    save_student(folder, Student(gpt.eval(), vq.eval(), captions, PICTURE_SIZE))


def _text_encoder() -> tuple[Any, Any]:
    tokenizer = t5_tokenizer(CAPTION_SLOTS)
    return t5_text_encoder(tokenizer, CAPTION_WIDTH), tokenizer
