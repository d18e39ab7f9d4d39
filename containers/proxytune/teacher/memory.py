"""The memory plan of a training: activation checkpointing is on where all activations would not fit.

All numbers are estimates to decide by; the memory that a training really used is in progress.json.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from proxytune.training.activation_checkpointing import GIB, is_needed

# An adapter's parameter, its gradient and AdamW's two moments, all float32.
BYTES_PER_TRAINED_PARAMETER = 16
# A transformer's block keeps 34 times its width in bytes of each token for its gradient, at two bytes a
# number and without the attention's matrix (Korthikanti et al., arXiv 2205.05198). These blocks also scale,
# shift and gate in separate steps, which are kept too: taken as the same again. Between blocks 2 times.
BLOCK_KEEPS, BETWEEN_BLOCKS = 2 * 34, 2
# SDXL's U-Net, per pixel: LoRA at 1024 px takes about 24 GB, and 16 GB with activation checkpointing
# (diffusers' DreamBooth README), of which 7 GB are weights.
UNET_BYTES_PER_PIXEL, UNET_BYTES_PER_PIXEL_RECOMPUTED = 17_000, 9_000
# SDXL's first width; another U-Net's activations are in proportion.
UNET_WIDTH = 320
# The rest is for the allocator's gaps, the libraries, and the error of the estimates.
USABLE = 0.8


@dataclass(frozen=True)
class Activations:
    """Bytes for the gradient of one image: all activations kept, or recomputed block by block."""

    kept: int
    recomputed: int


@dataclass(frozen=True)
class MemoryPlan:
    """The parts of a training's memory, in bytes.

    Attributes:
        available: of the GPU; None on the CPU.
        checkpointing: True when activations are recomputed.
        compiled: True when the network's blocks are compiled.
    """

    weights: int
    adapter: int
    activations: int
    available: int | None
    checkpointing: bool
    compiled: bool

    def __str__(self) -> str:
        parts = " + ".join(
            f"{name} {value / GIB:.1f}"
            for name, value in (
                ("weights", self.weights),
                ("adapter", self.adapter),
                ("activations", self.activations),
            )
        )
        total = (self.weights + self.adapter + self.activations) / GIB
        device = "on the CPU" if self.available is None else f"of {self.available / GIB:.1f} GiB"
        activations = "activations recomputed" if self.checkpointing else "activations kept"
        blocks = "blocks compiled" if self.compiled else "not compiled"
        return f"memory plan: {parts} = {total:.1f} GiB {device}; {activations}; {blocks}"


def plan(
    parameters: Iterable[Tensor],
    others: Iterable[Tensor],
    activations: Activations,
    available: int | None,
    *,
    compiled: bool = False,
) -> MemoryPlan:
    """Decide whether activations are kept or recomputed.

    Args:
        parameters: the network's, adapter included.
        others: what else stays on the device: the VAE's parameters.
        activations: of one batch.
        available: bytes of the GPU; None on the CPU, where nothing is recomputed.
        compiled: whether blocks are compiled, which does not change the estimate.
    """
    parameters = list(parameters)
    frozen = [value for value in parameters if not value.requires_grad]
    weights = sum(value.numel() * value.element_size() for value in (*frozen, *others))
    adapter = BYTES_PER_TRAINED_PARAMETER * sum(value.numel() for value in parameters if value.requires_grad)
    needed = weights + adapter + activations.kept
    checkpointing = available is not None and is_needed(needed, available, USABLE)
    planned = activations.recomputed if checkpointing else activations.kept
    return MemoryPlan(weights, adapter, planned, available, checkpointing, compiled)


def transformer_activations(tokens: int, width: int, blocks: int) -> Activations:
    """Estimate those of a transformer that reads `tokens` tokens, image and text together."""
    block = BLOCK_KEEPS * tokens * width
    return Activations(kept=blocks * block, recomputed=blocks * BETWEEN_BLOCKS * tokens * width + block)


def unet_activations(pixels: int, width: int) -> Activations:
    """Estimate those of a U-Net whose first blocks have `width` channels."""
    share = width / UNET_WIDTH
    return Activations(
        kept=int(pixels * UNET_BYTES_PER_PIXEL * share),
        recomputed=int(pixels * UNET_BYTES_PER_PIXEL_RECOMPUTED * share),
    )
