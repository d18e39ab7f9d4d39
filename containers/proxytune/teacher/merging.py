"""Adapters for generation: merged into the weights once, so that a step takes as long as the base model's.

The sums are computed in float32 and rounded once to the model's type. The weights before are kept on the CPU:
the base model then generates exactly its own images again, which it would not after a subtraction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.teacher.lora_file import LowRank, read_layers, refused


class MergedAdapter:
    """An adapter in a model's weights, and the weights without it.

    Args:
        model: the frozen network on its device; has the adapter merged in afterwards.
        folder: of the adapter's file.
        prefix: the network's name in the file's keys, `unet` or `transformer`.

    Raises:
        ProxytuneError: ModelMismatch when the file is not an adapter of this network, or incomplete.
    """

    def __init__(self, model: Any, folder: Path, prefix: str) -> None:
        modules = dict(model.named_modules())
        self._weights: dict[str, Tensor] = {}
        self._other: dict[str, Tensor] = {}
        for name, layer in read_layers(folder, prefix).items():
            weight = getattr(modules.get(name), "weight", None)
            if weight is None:
                raise refused(f"the model has no layer {name}")
            self._weights[name] = weight.data
            self._other[name] = _merged(name, weight.data, layer).cpu()
        self._tuned = False
        self.switch(tuned=True)

    @torch.no_grad()
    def switch(self, *, tuned: bool) -> None:
        """Make the model the tuned one, or the base model."""
        if tuned == self._tuned:
            return
        for name, weight in self._weights.items():
            before = weight.cpu().clone()
            weight.copy_(self._other[name])
            self._other[name] = before
        self._tuned = tuned


@contextmanager
def merged_on_cpu(network: Any) -> Iterator[None]:
    """Compute with peft's adapter in the weights of a network on the CPU while inside, without gradient.

    An adapted layer then is one operation instead of five. Afterwards the weights are those of before, bit
    for bit. Needs the memory of the adapted weights once more. Does nothing unless all weights are float32:
    the sums would be rounded in the bfloat16 of a GPU, and quantized weights cannot take them.
    """
    from peft.tuners.lora import LoraLayer

    layers: list[Any] = [module for module in network.modules() if isinstance(module, LoraLayer)]
    weights: list[Any] = [getattr(layer.get_base_layer(), "weight", None) for layer in layers]
    if any(weight is None or weight.is_cuda or weight.dtype != torch.float32 for weight in weights):
        yield
        return
    before = [weight.data for weight in weights]
    try:
        for layer, weight in zip(layers, weights, strict=True):
            (adapter,) = layer.active_adapters
            weight.data = weight.data + layer.get_delta_weight(adapter).detach()
            # peft computes a layer whose adapters are all merged by its weights alone.
            layer.merged_adapters.append(adapter)
        yield
    finally:
        for layer, weight, data in zip(layers, weights, before, strict=True):
            weight.data = data
            layer.merged_adapters.clear()


def _merged(name: str, weight: Tensor, layer: LowRank) -> Tensor:
    try:
        return (weight.float() + layer.delta(weight)).to(weight.dtype)
    except RuntimeError as error:
        raise refused(f"the tensors of {name} do not have the shape of its weights") from error
