"""SigLIP 2's tokenizer over the domain's words.

The checkpoints read Gemma's byte pairs in small letters: a piece carries the space before it, an unknown
letter falls back to its bytes, and every text ends with `<eos>` and is padded on the right to 64 slots
(google/siglip2-so400m-patch16-naflex, tokenizer_config.json).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dev.pretraining.tokenizers import merges_of
from dev.tiny_models.tokenizers import CHARACTERS

# transformers' Siglip2Processor pads to as many; the text encoder's vector is the state at the last of them.
SLOTS = 64
# As in Gemma, where they are the first five.
SPECIALS = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
SPACE = "\u2581"


def siglip_word_tokenizer(words: Iterable[str]) -> Any:
    """SigLIP 2's byte-pair tokenizer that reads each of `words` as one token, after a space or not."""
    from transformers import Siglip2Tokenizer

    small = sorted({word.lower() for word in words})
    merges = merges_of([[*spelling] for word in small for spelling in (word, SPACE + word)])
    letters = sorted({letter.lower() for letter in CHARACTERS})
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces = [*SPECIALS, *bytes_, SPACE, *letters]
    pieces += [piece for piece in dict.fromkeys("".join(pair) for pair in merges) if piece not in pieces]
    return Siglip2Tokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=merges,
        padding_side="right",
        add_bos_token=False,
        add_eos_token=True,
        model_max_length=SLOTS,
    )
