"""Whether the word that stands for the subject reaches LlamaGen: asked of its own cleaner and tokenizer."""

from __future__ import annotations

from proxytune.student.families.llamagen.caption_cleaning import clean_for_model
from proxytune.student.families.llamagen.captions import CaptionEncoder
from proxytune.student.token_word import refuse


def check(word: str, caption: str, captions: CaptionEncoder) -> None:
    """Check that `word` is whole in what the text pipeline makes of `caption`.

    Raises:
        ProxytuneError: TokenWordUnusable.
    """
    reason = _why_lost(word, caption, captions)
    if reason is not None:
        refuse(reason, word, caption)


def _why_lost(word: str, caption: str, captions: CaptionEncoder) -> str | None:
    if word not in caption.split():
        return "the caption does not hold it as a word"
    cleaned = clean_for_model(caption)
    if word not in cleaned.split():
        return f"the caption cleaner makes '{cleaned}' of the caption"
    tokenizer = captions.tokenizer
    alone = tokenizer(word, add_special_tokens=False).input_ids
    if tokenizer.unk_token_id in alone:
        return "the tokenizer does not know its letters"
    read = tokenizer.decode(alone).strip()
    if read != word:
        return f"the tokenizer reads it as '{read}'"
    ids = tokenizer(cleaned, truncation=True, max_length=captions.max_length).input_ids
    if not any(ids[start : start + len(alone)] == alone for start in range(len(ids))):
        return f"it lies behind the {captions.max_length} tokens that the text encoder reads"
    return None
