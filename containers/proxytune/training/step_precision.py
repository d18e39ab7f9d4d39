"""The precision of training steps: bfloat16 on processors that compute in it, with a float32 adapter.

On such a processor a product of large matrices takes less than half of its time in bfloat16. Weights, adapter
and optimizer stay float32; autocast rounds what goes into products, as the bfloat16 of a GPU does. A GPU
needs this only where the weights are trained: frozen ones are bfloat16 already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel


def native_bfloat16(device: torch.device) -> bool:
    """Return True for a CPU that computes in bfloat16 (AVX-512 BF16 or AMX), where torch may use it.

    Others imitate bfloat16, which is slower than float32. ATEN_CPU_CAPABILITY limits torch's kernels.
    """
    if device.type != "cpu" or torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    # torch has no public question for it yet.
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


class StepPrecision:
    """Computes the steps of one training; decides once whether that is in bfloat16.

    Args:
        model: may carry peft's adapter, on linear layers alone.
        device: that trains it.
        weights: True where the model's own weights are trained. They are float32 then on a GPU too, which
            computes their products in bfloat16.
    """

    def __init__(self, model: nn.Module, device: torch.device, *, weights: bool = False) -> None:
        self._on_gpu = weights and device.type == "cuda"
        self._layers: list[Any] | None = None
        if native_bfloat16(device):
            self._layers = _adapted_layers(model)
            print("training steps compute in bfloat16, which this processor has", flush=True)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Compute a loss while inside; its backward pass may follow outside."""
        if self._on_gpu:
            with torch.autocast("cuda", torch.bfloat16):
                yield
            return
        if self._layers is None:
            yield
            return
        try:
            for layer in self._layers:
                layer.forward = _short_forward(layer)
            # In bfloat16 the backward pass of the fused attention is slow on a CPU: it took 40 % of a step of
            # the miniature's student, in float32 5 %. The plain attention computes in float32.
            with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
                yield
        finally:
            for layer in self._layers:
                vars(layer).pop("forward", None)


def _adapted_layers(model: nn.Module) -> list[Any]:
    from peft.tuners.lora import Linear

    return [layer for layer in model.modules() if isinstance(layer, Linear)]


def _short_forward(layer: Any) -> Callable[[Tensor], Tensor]:
    """Return peft's formula of a layer with one adapter, in three operations.

    peft itself takes six, of which two convert the input to the adapter's float32, which autocast converts
    back to bfloat16.
    """
    (name,) = layer.active_adapters
    base, scale = layer.base_layer, layer.scaling[name]
    down, up = layer.lora_A[name], layer.lora_B[name].weight

    def forward(x: Tensor) -> Tensor:
        result, update = base(x), down(x)
        # Of two dimensions, as `addmm` wants them.
        rows = torch.addmm(result.flatten(0, -2), update.flatten(0, -2), up.to(update.dtype).T, alpha=scale)
        return rows.view_as(result)

    return forward
