"""LoRA products in the number format of their input; the weights, their gradients and moments stay float32.

peft converts the input of every adapted layer to the float32 of the adapter, and the conversion is kept for
the backward pass. Here the adapter's two small matrices are converted instead: the product keeps the input
that the frozen layer keeps anyway, and runs on the fast units of a GPU. Official trainings compute the same
under bfloat16 autocast. On a float32 network nothing changes.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class _Linear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name of it
        """Compute as nn.Linear does, in the input's format."""
        return F.linear(input, self.weight.to(input.dtype))


class _Conv2d(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name of it
        """Compute as nn.Conv2d does, in the input's format."""
        return self._conv_forward(input, self.weight.to(input.dtype), None)


KINDS: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: _Linear, nn.Conv2d: _Conv2d}


def compute_in_input_dtype(model: nn.Module) -> None:
    """Let all LoRA layers of a model compute in the format of their input, in place.

    Names and parameters stay as they are.

    Raises:
        TypeError: an adapter on a kind of layer, or with a bias, that this cannot compute.
    """
    from peft.tuners.lora import LoraLayer

    for layer in model.modules():
        if not isinstance(layer, LoraLayer):
            continue
        layer.cast_input_dtype_enabled = False
        for part in (*layer.lora_A.values(), *layer.lora_B.values()):
            kind = KINDS.get(type(part), type(part))
            if kind not in KINDS.values() or part.bias is not None:
                raise TypeError(
                    f"an adapter's {part} given; allowed: linear layers and 2D convolutions without bias"
                )
            part.__class__ = kind
