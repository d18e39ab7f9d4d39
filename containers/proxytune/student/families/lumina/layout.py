"""The order of ids in a sequence: prompt, picture header, rows of codes, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from proxytune.student.families.lumina.vocabulary import Vocabulary

# Pixels that one unit of the header's two sizes stands for.
PATCH = 32


@dataclass(frozen=True)
class Grid:
    """The size of a picture in codes."""

    rows: int
    columns: int

    @property
    def codes(self) -> int:
        """Codes of the picture."""
        return self.rows * self.columns

    @property
    def block(self) -> int:
        """Ids of the picture: header, rows with their marks, end; 2,356 for 48 x 48."""
        return 3 + self.rows * (self.columns + 1) + 1


@dataclass(frozen=True)
class Layout:
    """Where everything stands.

    Attributes:
        stride: pixels along one side of a code.
    """

    vocabulary: Vocabulary
    stride: int

    def grid(self, width: int, height: int) -> Grid:
        """The codes of a picture of so many pixels.

        Raises:
            ValueError: a size that the header cannot name.
        """
        largest = PATCH * (len(self.vocabulary.grids) - 1)
        if any(side % PATCH or not 0 < side <= largest for side in (width, height)):
            raise ValueError(
                f"{width} x {height} pixels given; allowed: sides that are multiples of {PATCH}, "
                f"at most {largest}"
            )
        return Grid(height // self.stride, width // self.stride)

    def header(self, grid: Grid) -> list[int]:
        """The three ids that open a picture: start, height, width."""
        sides = (grid.rows * self.stride // PATCH, grid.columns * self.stride // PATCH)
        return [self.vocabulary.start, *(self.vocabulary.grids[side] for side in sides)]

    def forced(self, place: int, grid: Grid) -> int | None:
        """The only id that may stand at `place` (0 is the first after the header); None where a code stands.

        Each row ends with its mark, and after the last one the picture ends.
        """
        if place == grid.rows * (grid.columns + 1):
            return self.vocabulary.end
        return self.vocabulary.row_end if (place + 1) % (grid.columns + 1) == 0 else None

    def block(self, codes: Tensor, grid: Grid) -> Tensor:
        """The ids of whole pictures.

        Args:
            codes: (B, grid.codes) of the picture tokenizer, row by row.

        Returns:
            (B, grid.block) int64: header, rows of codes each ended by its mark, end.
        """
        count, device = len(codes), codes.device
        ids = torch.tensor(self.vocabulary.codes, device=device)[codes.long()]
        rows = ids.view(count, grid.rows, grid.columns)
        marks = torch.full((count, grid.rows, 1), self.vocabulary.row_end, device=device)
        header = torch.tensor(self.header(grid), device=device).expand(count, -1)
        end = torch.full((count, 1), self.vocabulary.end, device=device)
        return torch.cat([header, torch.cat([rows, marks], dim=2).flatten(1), end], dim=1)

    def codes(self, block: Tensor, grid: Grid) -> Tensor:
        """The codes (B, grid.codes) int64 of whole pictures: undoes `block`.

        Raises:
            ValueError: ids that are no whole picture of this size.
        """
        if block.shape[1] != grid.block:
            raise ValueError(f"{block.shape[1]} ids a picture given; allowed: {grid.block} for {grid}")
        body = block[:, 3:-1].reshape(len(block), grid.rows, grid.columns + 1)[:, :, :-1].flatten(1).long()
        back = torch.full((int(block.max()) + 2,), -1, device=block.device)
        known = torch.tensor(self.vocabulary.codes, device=block.device)
        within = known < len(back)
        back[known[within]] = torch.arange(len(known), device=block.device)[within]
        codes = back[body]
        if bool((codes < 0).any()) or not torch.equal(self.block(codes, grid), block.long()):
            raise ValueError(f"these ids are no whole picture of {grid.rows} x {grid.columns} codes")
        return codes

    def prompt(self, text: Sequence[int]) -> list[int]:
        """The ids before a picture: begin, text, separator."""
        return [self.vocabulary.begin, *text, self.vocabulary.separator]

    def sequence(self, prompt: Sequence[int], block: Tensor) -> Tensor:
        """All ids that a picture is learnt from, (len(prompt) + its block + 1,): the separator ends it.

        Args:
            prompt: as `prompt` makes it; empty for a picture learnt without words.
            block: (n,) the ids of one whole picture.
        """
        before, after = block.new_tensor(list(prompt)), block.new_tensor([self.vocabulary.separator])
        return torch.cat([before, block, after])
