"""Prompts as ids: the official template, the model's own tokenizer, and nothing in them but text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proxytune.contract.errors import ProxytuneError
from proxytune.student.families.lumina.layout import Layout
from proxytune.student.prompts import reserved_words
from proxytune.training.token_word import check_decoded, text_ids

# Of Lumina-mGPT's README and demo; images are learned and generated under the same words.
TEMPLATE = "Generate an image of {width}x{height} according to the following prompt:\n{prompt}"
FOLDER = "tokenizer"


class PromptEncoder:
    """The text tokenizer of a model.

    Args:
        tokenizer: a transformers tokenizer.
        layout: of the model's vocabulary.

    Raises:
        ProxytuneError: ModelMismatch when tokenizer and model differ in the ids of special tokens.
    """

    def __init__(self, tokenizer: Any, layout: Layout) -> None:
        self.tokenizer, self._layout = tokenizer, layout
        names = layout.vocabulary.names()
        other = [name for name, wanted in names.items() if tokenizer.convert_tokens_to_ids(name) != wanted]
        if other:
            raise ProxytuneError(
                "ModelMismatch",
                what="The student's tokenizer does not belong to its transformer",
                given=f"other ids for {len(other)} names, such as {other[0]}",
                allowed="the ids of vocabulary_map in transformer/config.json",
                remedy="put the tokenizer that came with the transformer into the model folder",
            )

    def encode(self, prompt: str, width: int, height: int) -> list[int]:
        """Return the ids before an image of this size.

        Args:
            prompt: as users write it.

        Raises:
            ProxytuneError: HyperparameterInvalid for a prompt that spells special tokens of images.
        """
        text = text_ids(self.tokenizer, TEMPLATE.format(width=width, height=height, prompt=prompt))
        if self._layout.vocabulary.special & set(text):
            raise reserved_words(
                prompt, "leave out the words in angle brackets and those that begin with IMGIMG"
            )
        return self._layout.prompt(text)

    def check_word(self, word: str, caption: str) -> None:
        """Check that the tokenizer keeps `word`, which stands for the subject, in `caption`.

        Raises:
            ProxytuneError: TokenWordUnusable.
        """
        check_decoded(word, caption, self.tokenizer, role="student")

    def save(self, folder: Path) -> None:
        """Write `tokenizer/` into a model folder."""
        self.tokenizer.save_pretrained(folder / FOLDER)

    @classmethod
    def load(cls, folder: Path, layout: Layout) -> PromptEncoder:
        """Read `tokenizer/` of a model folder; nothing is downloaded.

        Raises:
            ProxytuneError: ModelMismatch when it is missing or another model's.
        """
        from transformers import AutoTokenizer

        if not (folder / FOLDER).is_dir():
            raise ProxytuneError(
                "ModelMismatch",
                what=f"The model folder has no {FOLDER}/",
                given=str(folder),
                allowed="a folder with the tokenizer as transformers saves it",
                remedy="put the tokenizer files of Lumina-mGPT there",
            )
        return cls(AutoTokenizer.from_pretrained(folder / FOLDER, local_files_only=True), layout)
