"""The order of ids in a sequence: prompt, image header, rows of tokens, and back."""

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
    """The size of an image in tokens."""

    rows: int
    columns: int

    @property
    def tokens(self) -> int:
        """Tokens of the image."""
        return self.rows * self.columns

    @property
    def block(self) -> int:
        """Ids of the image: header, rows with their separators, end; 2,356 for 48 x 48."""
        return 3 + self.rows * (self.columns + 1) + 1


@dataclass(frozen=True)
class Layout:
    """The positions of everything.

    Attributes:
        stride: pixels along one side of a token.
    """

    vocabulary: Vocabulary
    stride: int

    def grid(self, width: int, height: int) -> Grid:
        """Return the grid of an image of so many pixels.

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
        """Return the three ids that open an image: start, height, width."""
        sides = (grid.rows * self.stride // PATCH, grid.columns * self.stride // PATCH)
        return [self.vocabulary.start, *(self.vocabulary.grids[side] for side in sides)]

    def forced(self, position: int, grid: Grid) -> int | None:
        """Return the only id that may stand at a position after the header; None where a token stands.

        Each row ends with its separator, and after the last one the image ends.
        """
        if position == grid.rows * (grid.columns + 1):
            return self.vocabulary.end
        return self.vocabulary.row_end if (position + 1) % (grid.columns + 1) == 0 else None

    def block(self, tokens: Tensor, grid: Grid) -> Tensor:
        """Return the ids of complete images.

        Args:
            tokens: (B, grid.tokens), row by row.

        Returns:
            (B, grid.block) int64: header, rows of tokens each ended by its separator, end.
        """
        count, device = len(tokens), tokens.device
        ids = torch.tensor(self.vocabulary.codes, device=device)[tokens.long()]
        rows = ids.view(count, grid.rows, grid.columns)
        separators = torch.full((count, grid.rows, 1), self.vocabulary.row_end, device=device)
        header = torch.tensor(self.header(grid), device=device).expand(count, -1)
        end = torch.full((count, 1), self.vocabulary.end, device=device)
        return torch.cat([header, torch.cat([rows, separators], dim=2).flatten(1), end], dim=1)

    def tokens(self, block: Tensor, grid: Grid) -> Tensor:
        """Return the tokens (B, grid.tokens) int64 of complete images: undoes `block`.

        Raises:
            ValueError: ids that are not a complete image of this size.
        """
        if block.shape[1] != grid.block:
            raise ValueError(f"{block.shape[1]} ids per image given; allowed: {grid.block} for {grid}")
        body = block[:, 3:-1].reshape(len(block), grid.rows, grid.columns + 1)[:, :, :-1].flatten(1).long()
        back = torch.full((int(block.max()) + 2,), -1, device=block.device)
        known = torch.tensor(self.vocabulary.codes, device=block.device)
        within = known < len(back)
        back[known[within]] = torch.arange(len(known), device=block.device)[within]
        tokens = back[body]
        if bool((tokens < 0).any()) or not torch.equal(self.block(tokens, grid), block.long()):
            raise ValueError(f"these ids are not a complete image of {grid.rows} x {grid.columns} tokens")
        return tokens

    def prompt(self, text: Sequence[int]) -> list[int]:
        """Return the ids before an image: begin, text, separator."""
        return [self.vocabulary.begin, *text, self.vocabulary.separator]

    def sequence(self, prompt: Sequence[int], block: Tensor) -> Tensor:
        """Return all ids that an image is learned from, (len(prompt) + its block + 1,), a separator last.

        Args:
            prompt: as `prompt` makes it; empty for an image learned without words.
            block: (n,) the ids of one complete image.
        """
        before, after = block.new_tensor(list(prompt)), block.new_tensor([self.vocabulary.separator])
        return torch.cat([before, block, after])
