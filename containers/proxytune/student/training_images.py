"""The interface of the images that a student learns: squares of one size, used in a seeded order."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class TrainingImages(Protocol):
    """The images of a training, by their index.

    Attributes:
        size: side of the square image in pixels.
        prompts: each image's, which must keep the token word.
    """

    size: int
    prompts: list[str]

    def __len__(self) -> int:
        """Count the images."""

    @property
    def data(self) -> list[str]:
        """All that a training learns from, as text: another value starts a new training."""

    @property
    def facts(self) -> dict[str, object]:
        """Identities of the images, for adapter.json."""

    def index_at(self, position: int, seed: int) -> int:
        """Return the index of the `position`-th training image, counted from 0."""

    def weights(self, tokens: int) -> Tensor | None:
        """Compute the weights of all images' tokens: (len(self), tokens), or None where all are alike.

        Args:
            tokens: of an image, a square of them.
        """

    def pixels(self, indices: range) -> Tensor:
        """Return images as (len(indices), 3, size, size), float32 in [-1, 1]."""


def in_epochs(position: int, count: int, seed: int) -> int:
    """Return the index of the `position`-th training image: every epoch has all, in a new order."""
    epoch, place = divmod(position, count)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed + epoch))
    return int(order[place])
