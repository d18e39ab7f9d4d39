"""Checks, with a model's own tokenizer, that the word for the subject reaches the model.

A tokenizer may split a word (`S*` becomes `s` and `*`), map it to its unknown token, or cut it off when the
prompt is too long. In each case the model would be trained on another word than the one used later.
"""

from __future__ import annotations

from typing import Any

from proxytune.contract.errors import ProxytuneError


def check_encoded(
    word: str, prompt: str, tokenizer: Any, *, role: str, max_length: int, cleaned: str | None = None
) -> None:
    """Check that the ids of `word` are among those of `prompt`, and read back as the word.

    Args:
        role: teacher or student, for the message.
        max_length: how many ids the text encoder reads.
        cleaned: what a caption cleaner makes of the prompt before the tokenizer reads it, if there is one.

    Raises:
        ProxytuneError: TokenWordUnusable.
    """
    _check_in_prompt(word, prompt, role)
    text = prompt if cleaned is None else cleaned
    if word not in text.split():
        raise unusable(role, f"the caption cleaner makes '{text}' of the prompt", word, prompt)
    alone = tokenizer(word, add_special_tokens=False).input_ids
    if tokenizer.unk_token_id in alone and tokenizer.unk_token_id != tokenizer.eos_token_id:
        raise unusable(role, "the tokenizer does not know its letters", word, prompt)
    read = tokenizer.decode(alone).strip()
    if read != word:
        raise unusable(role, f"the tokenizer reads it as '{read}'", word, prompt)
    ids = tokenizer(text, truncation=True, max_length=max_length).input_ids
    if not any(ids[start : start + len(alone)] == alone for start in range(len(ids))):
        raise unusable(
            role,
            f"it comes after the {max_length} tokens that the text encoder reads",
            word,
            prompt,
            remedy="name the subject earlier in this prompt or caption",
        )


def check_decoded(word: str, prompt: str, tokenizer: Any, *, role: str) -> None:
    """Check that `word` is a word of what the tokenizer reads in `prompt`: for models without a text encoder.

    Raises:
        ProxytuneError: TokenWordUnusable.
    """
    _check_in_prompt(word, prompt, role)
    read = tokenizer.decode(text_ids(tokenizer, prompt))
    if word not in read.split():
        raise unusable(role, f"the tokenizer reads the prompt as '{read}'", word, prompt)


def text_ids(tokenizer: Any, text: str) -> list[int]:
    """Encode a text and nothing else; special tokens that a user typed are split into letters as any word."""
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids)


def unusable(
    role: str,
    reason: str,
    word: str,
    prompt: str,
    *,
    remedy: str = "set tokenWord in subject.json to such a word",
) -> ProxytuneError:
    """Make the error of a word that does not reach a model."""
    return ProxytuneError(
        "TokenWordUnusable",
        what=f"The token word does not reach the {role}: {reason}",
        given=f"'{word}' in '{prompt}'",
        allowed="a rare word of lower-case letters a-z, such as 'ohwx' or 'sks'",
        remedy=remedy,
    )


def _check_in_prompt(word: str, prompt: str, role: str) -> None:
    if word not in prompt.split():
        raise unusable(role, "the prompt does not contain it as a word", word, prompt)
