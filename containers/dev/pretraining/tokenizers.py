"""The real tokenizer classes over the domain's words; any other word is read in bytes or letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from dev.drawn_subjects.captions import FRAMES
from dev.tiny_models.tokenizers import CHARACTERS, byte_letters
from proxytune.drawn_world.appearance import CATEGORIES
from proxytune.drawn_world.scene import CONTEXTS

# Slots of the teacher's text encoders: begin, "a photo of a", a token word of up to 12 bytes, category, "on a
# wooden table", end are 23.
CLIP_SLOTS = 24


def domain_words() -> frozenset[str]:
    """Every word that a caption of the domain can contain."""
    return frozenset(word for text in (*FRAMES, *CATEGORIES, *CONTEXTS) for word in text.split())


def clip_word_tokenizer(words: Iterable[str], slots: int = CLIP_SLOTS, pad: str = "<|endoftext|>") -> Any:
    """CLIP's byte-pair tokenizer that reads each of `words` as one token.

    Args:
        slots: length of the text encoder's input.
        pad: SDXL's first tokenizer pads with the end token, its second with `!`.
    """
    from transformers import CLIPTokenizer

    # transformers takes pairs, in spite of its annotation.
    merges: Any = byte_pair_merges(words)
    letters = sorted(byte_letters().values())
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=merges,
        pad_token=pad,
        model_max_length=slots,
    )


def t5_word_tokenizer(words: Iterable[str], slots: int) -> Any:
    """T5's Unigram tokenizer that reads each of `words` as one token; ids 0, 1, 2 as in T5."""
    from transformers import T5Tokenizer

    specials = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    # A word must be likelier than its letters together; the shortest has one letter and the mark of a word.
    pieces = [(f"\u2581{word}", -1.0) for word in sorted(words)]
    letters = [("\u2581", -2.0), *((letter, -4.0) for letter in CHARACTERS)]
    return T5Tokenizer(vocab=[*specials, *pieces, *letters], extra_ids=0, model_max_length=slots)


def byte_pair_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Merges by which each word becomes one piece: byte-pair training until nothing is left to merge.

    Training, and not a spelling out of each word, because merges of one word apply inside the others too.
    """
    return merges_of([[*word[:-1], f"{word[-1]}</w>"] for word in sorted(set(words))])


def merges_of(spelt: list[list[str]]) -> list[tuple[str, str]]:
    """Merges by which each of these spellings becomes one piece, as `byte_pair_merges` finds them."""
    split = spelt
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for pieces in split for pair in zip(pieces, pieces[1:], strict=False))
        if not pairs:
            return merges
        # Ties by the alphabet: a set's order would change from process to process.
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        split = [_merged(pieces, best) for pieces in split]


def _merged(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    place = 0
    while place < len(pieces):
        both = tuple(pieces[place : place + 2]) == pair
        merged.append("".join(pair) if both else pieces[place])
        place += 2 if both else 1
    return merged
