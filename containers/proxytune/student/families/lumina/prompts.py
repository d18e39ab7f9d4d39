"""Prompts as ids: the official template, the model's own tokenizer, and nothing in them but text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proxytune.contract.errors import ProxytuneError
from proxytune.student import token_word
from proxytune.student.families.lumina.layout import Layout

# Of Lumina-mGPT's README and demo; pictures are learnt and drawn under the same words.
TEMPLATE = "Generate an image of {width}x{height} according to the following prompt:\n{prompt}"
FOLDER = "tokenizer"


class PromptEncoder:
    """The tokenizer of a model.

    Args:
        tokenizer: a transformers tokenizer.
        layout: of the model's vocabulary.

    Raises:
        ProxytuneError: ModelMismatch when the tokenizer has other ids for the picture marks than the model.
    """

    def __init__(self, tokenizer: Any, layout: Layout) -> None:
        self.tokenizer, self._layout = tokenizer, layout
        names = layout.vocabulary.names()
        other = [name for name, place in names.items() if tokenizer.convert_tokens_to_ids(name) != place]
        if other:
            raise ProxytuneError(
                "ModelMismatch",
                what="The student's tokenizer does not belong to its transformer",
                given=f"other ids for {len(other)} names, such as {other[0]}",
                allowed="the ids of vocabulary_map in transformer/config.json",
                remedy="put the tokenizer that came with the transformer into the model folder",
            )

    def encode(self, prompt: str, width: int, height: int) -> list[int]:
        """The ids before a picture of this size, as users write its prompt.

        Raises:
            ProxytuneError: HyperparameterInvalid for a prompt that spells picture marks.
        """
        text = token_word.text_ids(self.tokenizer, TEMPLATE.format(width=width, height=height, prompt=prompt))
        marks = self._layout.vocabulary.marks & set(text)
        if marks:
            raise token_word.spells_marks(
                prompt, "leave out the words in angle brackets and those that begin with IMGIMG"
            )
        return self._layout.prompt(text)

    def check_word(self, word: str, caption: str) -> None:
        """Check that `word`, which stands for the subject, is whole in what the tokenizer makes of `caption`.

        Raises:
            ProxytuneError: TokenWordUnusable.
        """
        token_word.check(word, caption, self.tokenizer)

    def save(self, folder: Path) -> None:
        """Write `tokenizer/` into a model folder."""
        self.tokenizer.save_pretrained(folder / FOLDER)

    @classmethod
    def load(cls, folder: Path, layout: Layout) -> PromptEncoder:
        """Read `tokenizer/` of a model folder; nothing is fetched from elsewhere.

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
