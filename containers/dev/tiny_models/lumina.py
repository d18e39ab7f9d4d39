"""A tiny Lumina: transformer, VQGAN, and a tokenizer whose vocabulary is named as Chameleon's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dev.tiny_models.sizes import PICTURE_SIZE
from dev.tiny_models.tokenizers import byte_letters

SEED = 1005
WIDTH = 64
CODES = 256
# Stride 8 instead of 16: 8 x 8 codes, so that sequences are long enough to be sequences.
VQ_LEVELS = (1, 1, 2, 2)
# Sizes up to 8 patches of 32 pixels have a name.
GRIDS = 9
# So that untuned logits differ enough for sampling to choose; that an id matters to its layers, which a few
# steps of training would else bend to one code; and that the codebook is spread as its latents are.
HEAD_DEVIATION, EMBEDDING_DEVIATION, CODEBOOK_DEVIATION = 0.2, 0.5, 0.2


def write(folder: Path) -> None:
    """Write the model in the layout of a Lumina folder."""
    from proxytune.student.families.lumina.checkpoint import Student, save_student
    from proxytune.student.families.lumina.layout import Layout
    from proxytune.student.families.lumina.prompts import PromptEncoder
    from proxytune.student.families.lumina.transformer import Lumina, chameleon_config
    from proxytune.student.families.lumina.vq import VQGAN
    from proxytune.student.families.lumina.vq_config import VQGANConfig

    torch.manual_seed(SEED)
    vocabulary = _vocabulary()
    names = vocabulary_names(vocabulary)
    lm = Lumina(
        chameleon_config(
            {
                "vocab_size": len(names),
                "hidden_size": WIDTH,
                "intermediate_size": 160,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 4,
                "max_position_embeddings": 512,
                "vocabulary_map": names,
            }
        )
    )
    torch.nn.init.normal_(lm.lm_head.weight, std=HEAD_DEVIATION)
    torch.nn.init.normal_(lm.model.embed_tokens.weight, std=EMBEDDING_DEVIATION)
    vq = VQGAN(
        VQGANConfig(
            n_embed=CODES,
            embed_dim=8,
            z_channels=32,
            ch=16,
            ch_mult=VQ_LEVELS,
            num_res_blocks=1,
            norm_groups=8,
        )
    )
    torch.nn.init.normal_(vq.quantize.embedding.weight, std=CODEBOOK_DEVIATION)
    layout = Layout(vocabulary, vq.stride)
    prompts = PromptEncoder(tokenizer_of(names), layout)
    save_student(folder, Student(lm.eval(), vq.eval(), prompts, layout, PICTURE_SIZE))


def _vocabulary() -> Any:
    """Ids in Chameleon's order; codes scattered over theirs, as there."""
    from proxytune.student.families.lumina.vocabulary import Vocabulary

    first = 4
    after = first + CODES
    return Vocabulary(
        begin=0,
        codes=tuple(first + (77 * code + 5) % CODES for code in range(CODES)),
        end=after,
        start=after + 1,
        separator=after + 2,
        row_end=after + 3,
        grids=tuple(range(after + 4, after + 4 + GRIDS)),
    )


def vocabulary_names(vocabulary: Any) -> dict[str, int]:
    """The whole vocabulary, in order of the ids: special tokens, codes, and a letter for each byte."""
    named = {**vocabulary.names(), "<pad>": 1, "</s>": 2, "<unk>": 3}
    letters = sorted(byte_letters().values())
    named |= {letter: len(named) + place for place, letter in enumerate(letters)}
    return dict(sorted(named.items(), key=lambda pair: pair[1]))


def tokenizer_of(names: dict[str, int]) -> Any:
    """A byte-level tokenizer without merges: every byte is a token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(vocab=names, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [name for name in names if len(name) > 1]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
