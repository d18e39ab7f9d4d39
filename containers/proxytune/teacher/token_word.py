"""Check, with the model's own tokenizers, that the word for the subject reaches the model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from proxytune.contract.errors import ProxytuneError


def check(word: str, prompts: Iterable[str], tokenizers: Iterable[Any]) -> None:
    """Check that every tokenizer keeps `word` as a word in every prompt.

    A tokenizer may split a word (`S*` becomes `s` and `*`), map it to its unknown token, or cut it off when
    the prompt is too long. In each case the model would be trained on another word than the one used later.

    Raises:
        ProxytuneError: TokenWordUnusable.
    """
    prompts = list(prompts)
    for tokenizer in tokenizers:
        for prompt in prompts:
            reason = _reason_lost(word, prompt, tokenizer)
            if reason is not None:
                raise ProxytuneError(
                    "TokenWordUnusable",
                    what=f"The token word does not reach the teacher: {reason}",
                    given=f"'{word}' in '{prompt}'",
                    allowed="a word of lower-case letters that stays one word, such as 'ohwx' or 'sks'",
                    remedy="set tokenWord in subject.json to such a word",
                )


def _reason_lost(word: str, prompt: str, tokenizer: Any) -> str | None:
    if word not in prompt.split():
        return "the prompt does not contain it as a word"
    ids = tokenizer(prompt, truncation=True, max_length=tokenizer.model_max_length).input_ids
    alone = tokenizer(word, add_special_tokens=False).input_ids
    if tokenizer.unk_token_id in alone and tokenizer.unk_token_id != tokenizer.eos_token_id:
        return "the tokenizer does not know its letters"
    if tokenizer.decode(alone).strip() != word:
        return f"the tokenizer reads it as '{tokenizer.decode(alone).strip()}'"
    if not _contains(ids, alone):
        return f"it comes after the {tokenizer.model_max_length} tokens that the text encoder reads"
    return None


def _contains(ids: list[int], part: list[int]) -> bool:
    return any(ids[start : start + len(part)] == part for start in range(len(ids) - len(part) + 1))
