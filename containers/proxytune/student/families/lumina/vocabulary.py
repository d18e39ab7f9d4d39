"""The meaning of ids: Chameleon's vocabulary has image codes and special tokens next to its text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from proxytune.contract.errors import ProxytuneError

# A code's name spells its number with letters, A for 0 to J for 9: IMGIMGBCZ is code 12. The ids are in
# another order, so a code is found by its name and never by subtraction.
_CODE_NAME = re.compile(r"IMGIMG([A-J]+)Z")
_DIGITS = str.maketrans("ABCDEFGHIJ", "0123456789")
_BEGIN, _START, _END = "<s>", "<racm3:break>", "<eoss>"
# Reserved words that Lumina-mGPT gave a meaning to (commit 104abe45).
_SEPARATOR, _ROW_END, _FIRST_GRID = 8706, 8799, 8800
# The largest image of any published size, 2048 x 512 pixels, has a side of 64 patches.
_LARGEST_GRID = 64


@dataclass(frozen=True)
class Vocabulary:
    """Ids of everything but text.

    Attributes:
        begin: first of every sequence.
        separator: ends the prompt, and what follows it.
        start, end: enclose an image.
        row_end: ends each row of codes.
        grids: for n = 0, 1, ... the id that means "n patches of 32 pixels".
        codes: for each code of the image tokenizer its id.
    """

    begin: int
    separator: int
    start: int
    end: int
    row_end: int
    grids: tuple[int, ...]
    codes: tuple[int, ...]

    @classmethod
    def from_names(cls, ids: Mapping[str, int]) -> Vocabulary:
        """Find them in the vocabulary of a model's config (`vocabulary_map`: name -> id).

        Raises:
            ProxytuneError: ModelMismatch when a name is missing or a code is left out.
        """
        numbers = {
            int(match[1].translate(_DIGITS)): value
            for name, value in ids.items()
            if (match := _CODE_NAME.fullmatch(name))
        }
        needed = [_BEGIN, _START, _END, reserved(_SEPARATOR), reserved(_ROW_END), reserved(_FIRST_GRID + 1)]
        missing = [name for name in needed if name not in ids]
        gaps = sorted(set(range(len(numbers))) - numbers.keys())
        if missing or gaps or not numbers:
            raise ProxytuneError(
                "ModelMismatch",
                what="The model's vocabulary is not that of a Chameleon that generates images",
                given=f"{len(numbers)} image codes, missing names {missing}, missing codes {gaps[:3]}",
                allowed="codes 0, 1, 2, ... without a gap, and the names of Lumina-mGPT's special tokens",
                remedy="use the config.json of Lumina-mGPT, with its vocabulary_map",
            )
        grids: list[int] = []
        while len(grids) <= _LARGEST_GRID and reserved(_FIRST_GRID + len(grids)) in ids:
            grids.append(ids[reserved(_FIRST_GRID + len(grids))])
        return cls(
            begin=ids[_BEGIN],
            separator=ids[reserved(_SEPARATOR)],
            start=ids[_START],
            end=ids[_END],
            row_end=ids[reserved(_ROW_END)],
            grids=tuple(grids),
            codes=tuple(numbers[code] for code in range(len(numbers))),
        )

    @property
    def special(self) -> frozenset[int]:
        """All ids that a prompt's text must not contain."""
        single = (self.begin, self.separator, self.start, self.end, self.row_end)
        return frozenset((*single, *self.grids, *self.codes))

    def names(self) -> dict[str, int]:
        """Return the names of these ids, as in a vocabulary."""
        named = {_BEGIN: self.begin, _START: self.start, _END: self.end}
        named |= {reserved(_SEPARATOR): self.separator, reserved(_ROW_END): self.row_end}
        named |= {reserved(_FIRST_GRID + patches): value for patches, value in enumerate(self.grids)}
        return named | {code_name(code): value for code, value in enumerate(self.codes)}


def reserved(number: int) -> str:
    """Return the name of a reserved word."""
    return f"<reserved{number:05d}>"


def code_name(code: int) -> str:
    """Return the name of an image code."""
    return "IMGIMG" + "".join("ABCDEFGHIJ"[int(digit)] for digit in str(code)) + "Z"
