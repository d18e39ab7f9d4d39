"""An adapter merged into the weights of its model, for as long as tuned images are generated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from proxytune.training.transfer import to_device

if TYPE_CHECKING:
    from peft import PeftModel


class MergedAdapter:
    """A model whose adapter is added to its weights, or taken out again exactly.

    Sampling computes one position per row, where the adapter's own products cost nearly as much as the
    weights', and on a GPU start as many kernels again. The sum is made in float32 and rounded once to the
    weights' type. The weights that it replaces are kept in the CPU's memory: a job seldom goes back to them,
    and a GPU's memory is for images.

    Args:
        wrapped: the model with its adapter, which loses its wrapper.

    Attributes:
        model: the plain model, at first without the adapter.
    """

    def __init__(self, wrapped: PeftModel) -> None:
        from peft.tuners.lora import LoraLayer

        self._layers = [layer for layer in wrapped.modules() if isinstance(layer, LoraLayer)]
        self.model: nn.Module = wrapped.unload()
        # The weights without the adapter, once they have been replaced for the first time.
        self._base: list[Tensor] = []
        self._merged = False

    @torch.no_grad()
    def switch(self, *, on: bool) -> None:
        """Put the adapter into the weights, or take it out: they are then bit for bit what they were."""
        if on == self._merged:
            return
        weights = [layer.get_base_layer().weight for layer in self._layers]
        self._base = self._base or [weight.detach().cpu().clone() for weight in weights]
        for layer, weight, base in zip(self._layers, weights, self._base, strict=True):
            if on:
                effect: Tensor = sum(layer.get_delta_weight(active) for active in layer.active_adapters)
                weight.copy_(weight.float() + effect.float())
            else:
                weight.copy_(to_device(base, weight.device))
        self._merged = on
