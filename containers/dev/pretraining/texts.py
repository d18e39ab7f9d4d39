"""Captions of pictures: all possible captions by number, and as token ids."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dev.drawn_subjects.captions import FRAMES, caption, rare_words
from dev.pretraining.corpus import Corpus
from dev.pretraining.tokenizers import domain_words
from proxytune.drawn_world.appearance import CATEGORIES
from proxytune.drawn_world.scene import CONTEXTS

# Share of captions that name no context, as the product's prompts for training do.
WITHOUT_CONTEXT = 0.2
# Share of captions with a word that means nothing, and how many such words there are.
WITH_RARE_WORD, RARE_WORDS = 0.1, 128

Numbering = tuple[int, int, int, int]


@dataclass(frozen=True)
class Captions:
    """All captions of the drawn domain.

    Attributes:
        texts: by number: frame, rare word (or none), category, context (or none), the last changing fastest.
    """

    texts: tuple[str, ...]

    def sample(self, corpus: Corpus, numbers: Tensor, rng: torch.Generator) -> Tensor:
        """Numbers of captions for these pictures: (n,)."""
        count = len(numbers)
        frame = torch.randint(len(FRAMES), (count,), generator=rng)
        rare = torch.randint(1, RARE_WORDS + 1, (count,), generator=rng)
        word = torch.where(torch.rand(count, generator=rng) < WITH_RARE_WORD, rare, 0)
        bare = torch.rand(count, generator=rng) < WITHOUT_CONTEXT
        context = torch.where(bare, len(CONTEXTS), _column(corpus.context, numbers))
        return _number(frame, word, _column(corpus.category, numbers), context)

    def full(self, corpus: Corpus, numbers: Tensor) -> Tensor:
        """Numbers of the captions that name category and context of these pictures, nothing else: (n,)."""
        nothing = torch.zeros(len(numbers), dtype=torch.long)
        columns = (_column(corpus.category, numbers), _column(corpus.context, numbers))
        return _number(nothing, nothing, *columns)


def all_captions(seed: int) -> Captions:
    """Every caption that the pretraining can sample."""
    words = (None, *rare_words(RARE_WORDS, seed, domain_words()))
    contexts = (*CONTEXTS, None)
    texts = tuple(
        caption(category, context, word, frame)
        for frame in FRAMES
        for word in words
        for category in CATEGORIES
        for context in contexts
    )
    return Captions(texts)


def _number(frame: Tensor, word: Tensor, category: Tensor, context: Tensor) -> Tensor:
    number = (frame * (RARE_WORDS + 1) + word) * len(CATEGORIES) + category
    return number * (len(CONTEXTS) + 1) + context


def _column(values: object, numbers: Tensor) -> Tensor:
    return torch.as_tensor(values)[numbers].long()
