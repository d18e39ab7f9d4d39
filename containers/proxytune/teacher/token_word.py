"""Check, with the model's own tokenizers, that the word for the subject reaches the model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from proxytune.training.token_word import check_encoded


def check(word: str, prompts: Iterable[str], tokenizers: Iterable[Any]) -> None:
    """Check that every tokenizer keeps `word` as a word in every prompt.

    Raises:
        ProxytuneError: TokenWordUnusable.
    """
    prompts = list(prompts)
    for tokenizer in tokenizers:
        for prompt in prompts:
            length = tokenizer.model_max_length
            check_encoded(word, prompt, tokenizer, role="teacher", max_length=length)
