"""Prompts as ids: the official template, the model's own tokenizer, no further special tokens."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from proxytune.student.model_files import mismatch
from proxytune.student.prompts import reserved_words
from proxytune.training.token_word import check_decoded

# Of Janus-Pro's own generation_inference.py; images are learned and generated under the same words.
TEMPLATE = "<|User|>: {prompt}\n\n<|Assistant|>:"
BEGIN_OF_IMAGE = "<begin_of_image>"


class PromptEncoder:
    """The text tokenizer of a model.

    Args:
        tokenizer: a transformers tokenizer.
        vocabulary: how many ids the transformer knows.

    Raises:
        ProxytuneError: ModelMismatch when the tokenizer lacks an id that an image's prompt needs.
    """

    def __init__(self, tokenizer: Any, vocabulary: int) -> None:
        self.tokenizer = tokenizer
        needed = {
            "its first id (bos_token)": tokenizer.bos_token_id,
            "its padding (pad_token)": tokenizer.pad_token_id,
            BEGIN_OF_IMAGE: tokenizer.get_vocab().get(BEGIN_OF_IMAGE),
        }
        absent = [name for name, value in needed.items() if value is None or not 0 <= value < vocabulary]
        if absent:
            raise mismatch(
                "The student's tokenizer does not belong to its transformer",
                given=f"no id for {', '.join(absent)} among the {vocabulary} of the transformer",
                remedy="put the tokenizer files that came with Janus-Pro into the model folder",
            )
        self.begin, self.pad, self.image = needed.values()
        self._special = {one for one, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._special_of_template = self._count(self._ids(""))

    def encode(self, prompt: str) -> list[int]:
        """Return the ids before an image.

        Raises:
            ProxytuneError: HyperparameterInvalid for a prompt that spells special tokens.
        """
        ids = self._ids(prompt)
        if self._count(ids) != self._special_of_template:
            raise reserved_words(prompt, "leave out the words in angle brackets")
        return ids

    def without_words(self, prompt: list[int]) -> list[int]:
        """Return the ids in place of a prompt that is dropped: as many, but of padding."""
        return [self.begin, *[self.pad] * (len(prompt) - 2), self.image]

    def check_word(self, word: str, caption: str) -> None:
        """Check that the tokenizer keeps `word`, which stands for the subject, in `caption`.

        Raises:
            ProxytuneError: TokenWordUnusable.
        """
        check_decoded(word, caption, self.tokenizer, role="student")

    def _ids(self, prompt: str) -> list[int]:
        # The first id is put here: if the tokenizer does it depends on the version of transformers.
        text = TEMPLATE.format(prompt=prompt.strip())
        return [self.begin, *self.tokenizer(text, add_special_tokens=False).input_ids, self.image]

    def _count(self, ids: list[int]) -> Counter[int]:
        return Counter(one for one in ids if one in self._special)

    @classmethod
    def load(cls, folder: Path, vocabulary: int) -> PromptEncoder:
        """Read the tokenizer of a model folder; nothing is downloaded.

        Raises:
            ProxytuneError: ModelMismatch when it is missing or another model's.
        """
        from transformers import PreTrainedTokenizerFast

        try:
            # tokenizer.json as it is. The published tokenizer_config.json names Llama's class, which would
            # split words differently from the file.
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise mismatch(
                "The model folder has no readable tokenizer",
                given=str(error).strip().splitlines()[0],
                allowed="tokenizer.json and tokenizer_config.json, as transformers saves them",
                remedy="put the tokenizer files that came with Janus-Pro into the model folder",
            ) from error
        return cls(tokenizer, vocabulary)
