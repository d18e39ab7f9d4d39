"""Whether the word that stands for the subject reaches a student: asked of its own tokenizer."""

from __future__ import annotations

from typing import Any

from proxytune.contract.errors import ProxytuneError


def check(word: str, caption: str, tokenizer: Any) -> None:
    """Check that `word` is whole in what a tokenizer, which nothing comes before, makes of `caption`.

    Raises:
        ProxytuneError: TokenWordUnusable.
    """
    if word not in caption.split():
        refuse("the caption does not hold it as a word", word, caption)
    read = tokenizer.decode(text_ids(tokenizer, caption))
    if word not in read.split():
        refuse(f"the tokenizer reads the caption as '{read}'", word, caption)


def text_ids(tokenizer: Any, text: str) -> list[int]:
    """The ids of a text and nothing else; marks that a user typed are split into letters as any word."""
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids)


def refuse(reason: str, word: str, caption: str) -> None:
    """Say that the word is lost.

    Raises:
        ProxytuneError: TokenWordUnusable, always.
    """
    raise ProxytuneError(
        "TokenWordUnusable",
        what=f"The token word does not reach the student: {reason}",
        given=f"'{word}' in '{caption}'",
        allowed="a rare word of letters a-z, such as 'ohwx' or 'sks'",
        remedy="set tokenWord in subject.json to such a word",
    )


def spells_marks(prompt: str, remedy: str) -> ProxytuneError:
    """The error of a prompt in which a student reads parts of its own sequences."""
    return ProxytuneError(
        "HyperparameterInvalid",
        what="The prompt spells words that this student reads as parts of pictures",
        given=prompt,
        allowed="prompts in plain words",
        remedy=remedy,
    )
