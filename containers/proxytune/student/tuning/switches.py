"""A loaded model and its tuning, which is in effect or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from proxytune.training.transfer import to_device


class Switch(Protocol):
    """A model whose tuning can be taken out again exactly.

    Attributes:
        model: the plain model, at first untuned.
    """

    model: nn.Module

    def switch(self, *, on: bool) -> None:
        """Put the tuning in, or take it out: the model is then bit for bit what it was."""


class Switches:
    """Several parts of one tuning, which are in effect together.

    Args:
        parts: all of one model.
    """

    def __init__(self, model: nn.Module, parts: Sequence[Switch]) -> None:
        self.model, self._parts = model, parts

    def switch(self, *, on: bool) -> None:
        """Switch all of them."""
        for part in self._parts:
            part.switch(on=on)


class ReplacedWeights:
    """A model some of whose weights are replaced by others.

    Both are kept in the CPU's memory: a job seldom goes back, and a GPU's memory is for images.

    Args:
        tuned: by the name of the weight.
    """

    def __init__(self, model: nn.Module, tuned: Mapping[str, Tensor]) -> None:
        self.model, self._tuned = model, tuned
        # The weights as they were, once they have been replaced for the first time.
        self._base: dict[str, Tensor] = {}
        self._on = False

    @torch.no_grad()
    def switch(self, *, on: bool) -> None:
        """Put the tuned weights in, or those that they replaced."""
        if on == self._on:
            return
        weights = dict(self.model.named_parameters())
        self._base = self._base or {name: weights[name].detach().cpu().clone() for name in self._tuned}
        for name, value in (self._tuned if on else self._base).items():
            weights[name].copy_(to_device(value, weights[name].device))
        self._on = on
