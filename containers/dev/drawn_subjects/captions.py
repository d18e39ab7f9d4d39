"""Captions of pictures: the category, often the context, never how the object looks."""

from __future__ import annotations

import string
from random import Random

# The product's own ways to begin a prompt (lib/core/catalogue/data/prompts.json).
FRAMES = ("a photo of a", "a")
# Length of the words that stand for nothing; the product's token words have 3 to 12 letters.
RARE_LETTERS = (3, 8)


def caption(
    category: str, context: str | None = None, word: str | None = None, frame: str = FRAMES[0]
) -> str:
    """The caption of a picture; `word` stands before the category as a token word does."""
    return " ".join(part for part in (frame, word, category, context) if part)


def rare_words(count: int, seed: int, known: frozenset[str]) -> tuple[str, ...]:
    """Sample words without a meaning: trained on them, the models expect nothing of an unknown word.

    Args:
        known: words that mean something, which are left out.
    """
    rng = Random(f"rare words {seed}")
    words: list[str] = []
    while len(words) < count:
        shortest, longest = RARE_LETTERS
        length = shortest + int(rng.random() * (longest - shortest + 1))
        word = "".join(string.ascii_lowercase[int(rng.random() * 26)] for _ in range(length))
        if word not in known and word not in words:
            words.append(word)
    return tuple(words)
