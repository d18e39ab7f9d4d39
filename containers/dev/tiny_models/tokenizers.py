"""Tokenizers made in code: the real classes over alphabets instead of learned vocabularies."""

from __future__ import annotations

import string
from typing import Any

# What CLIP's text encoders read.
CLIP_LENGTH = 77
# Every letter a caption cleaner can leave; T5's Unigram knows each as a piece of its own.
CHARACTERS = string.ascii_letters + string.digits + string.punctuation


def clip_tokenizer(pad_token: str = "<|endoftext|>") -> Any:
    """CLIP's byte-pair tokenizer without merges: one token a byte, and one for each byte that ends a word.

    Args:
        pad_token: SDXL's first tokenizer pads with the end token, its second with `!`.
    """
    from transformers import CLIPTokenizer

    letters = sorted(byte_letters().values())
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=[],
        pad_token=pad_token,
        model_max_length=CLIP_LENGTH,
    )


def t5_tokenizer(length: int) -> Any:
    """T5's Unigram tokenizer over single characters; ids 0, 1, 2 are pad, end and unknown as in T5."""
    from transformers import T5Tokenizer

    specials = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [("\u2581", -2.0), *((letter, -4.0) for letter in CHARACTERS)]
    return T5Tokenizer(vocab=[*specials, *pieces], extra_ids=0, model_max_length=length)


def byte_letters() -> dict[int, str]:
    """Byte -> the printable letter that byte-level tokenizers write it as: itself, or one from U+0100 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    shifted = {byte: chr(256 + place) for place, byte in enumerate(others)}
    return {**{byte: chr(byte) for byte in plain}, **shifted}
