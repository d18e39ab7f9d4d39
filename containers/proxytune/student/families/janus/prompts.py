"""Prompts as ids: the official template, the model's own tokenizer, and no marks but the template's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from proxytune.student import token_word
from proxytune.student.model_files import mismatch

# Of Janus-Pro's own generation_inference.py; pictures are learnt and drawn under the same words.
TEMPLATE = "<|User|>: {prompt}\n\n<|Assistant|>:"
BEGIN_OF_IMAGE = "<begin_of_image>"


class PromptEncoder:
    """The tokenizer of a model.

    Args:
        tokenizer: a transformers tokenizer.
        vocabulary: how many ids the transformer knows.

    Raises:
        ProxytuneError: ModelMismatch when the tokenizer lacks what a picture's prompt needs.
    """

    def __init__(self, tokenizer: Any, vocabulary: int) -> None:
        self.tokenizer = tokenizer
        needed = {
            "its first id (bos_token)": tokenizer.bos_token_id,
            "its padding (pad_token)": tokenizer.pad_token_id,
            BEGIN_OF_IMAGE: tokenizer.get_vocab().get(BEGIN_OF_IMAGE),
        }
        absent = [name for name, place in needed.items() if place is None or not 0 <= place < vocabulary]
        if absent:
            raise mismatch(
                "The student's tokenizer does not belong to its transformer",
                given=f"no id for {', '.join(absent)} among the {vocabulary} of the transformer",
                remedy="put the tokenizer files that came with Janus-Pro into the model folder",
            )
        self.begin, self.pad, self.image = needed.values()
        self._special = {place for place, mark in tokenizer.added_tokens_decoder.items() if mark.special}
        self._marks = self._count(self._ids(""))

    def encode(self, prompt: str) -> list[int]:
        """The ids before a picture.

        Raises:
            ProxytuneError: HyperparameterInvalid for a prompt that spells marks.
        """
        ids = self._ids(prompt)
        if self._count(ids) != self._marks:
            raise token_word.spells_marks(prompt, "leave out the words in angle brackets")
        return ids

    def without_words(self, prompt: list[int]) -> list[int]:
        """What stands for `prompt` where a picture is drawn without one: as long, but of padding."""
        return [self.begin, *[self.pad] * (len(prompt) - 2), self.image]

    def check_word(self, word: str, caption: str) -> None:
        """Check that `word`, which stands for the subject, is whole in what the tokenizer makes of `caption`.

        Raises:
            ProxytuneError: TokenWordUnusable.
        """
        token_word.check(word, caption, self.tokenizer)

    def _ids(self, prompt: str) -> list[int]:
        # The first id is put here: whether the tokenizer does it depends on the version of transformers.
        text = TEMPLATE.format(prompt=prompt.strip())
        return [self.begin, *self.tokenizer(text, add_special_tokens=False).input_ids, self.image]

    def _count(self, ids: list[int]) -> Counter[int]:
        return Counter(place for place in ids if place in self._special)

    @classmethod
    def load(cls, folder: Path, vocabulary: int) -> PromptEncoder:
        """Read the tokenizer of a model folder; nothing is fetched from elsewhere.

        Raises:
            ProxytuneError: ModelMismatch when it is missing or another model's.
        """
        from transformers import PreTrainedTokenizerFast

        try:
            # tokenizer.json as it is. The published tokenizer_config.json names Llama's class, which would
            # split words in another way than the file says.
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise mismatch(
                "The model folder has no readable tokenizer",
                given=str(error).strip().splitlines()[0],
                allowed="tokenizer.json and tokenizer_config.json, as transformers saves them",
                remedy="put the tokenizer files that came with Janus-Pro into the model folder",
            ) from error
        return cls(tokenizer, vocabulary)
