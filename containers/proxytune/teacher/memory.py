"""Whether a training fits into a GPU as it is, or must compute activations anew; said in the log.

All numbers are estimates to decide by; what a training really took stands in progress.json.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from proxytune.training.activation_checkpointing import GIB, is_needed

# An adapter's parameter, its gradient and AdamW's two moments, all float32.
BYTES_A_TRAINED_PARAMETER = 16
# What a transformer's block keeps of each token for its gradient: 34 times its width in bytes, at two bytes a
# number and without the attention's matrix (Korthikanti et al., arXiv 2205.05198). These blocks also scale,
# shift and gate in steps of their own, which are kept too: taken as as much again. Between blocks 2 times.
BLOCK_KEEPS, BETWEEN_BLOCKS = 2 * 34, 2
# What SDXL's U-Net keeps of a pixel: LoRA at 1024 px takes about 24 GB as it is and 16 GB with activations
# computed anew (diffusers' DreamBooth README), of which 7 GB are weights.
UNET_BYTES_A_PIXEL, UNET_BYTES_A_PIXEL_ANEW = 17_000, 9_000
# SDXL's first width; another U-Net's activations are in proportion.
UNET_WIDTH = 320
# The allocator's gaps, what libraries take for themselves, and how wrong the estimates may be.
USABLE = 0.8


@dataclass(frozen=True)
class Activations:
    """Bytes for the gradient of one picture: all kept, or computed anew block by block."""

    kept: int
    anew: int


@dataclass(frozen=True)
class MemoryPlan:
    """What a training's memory is made of, in bytes.

    Attributes:
        available: of the GPU; None on the CPU.
        anew: whether activations are computed anew.
        compiled: whether the network's blocks are compiled.
    """

    weights: int
    adapter: int
    activations: int
    available: int | None
    anew: bool
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
        where = "on the CPU" if self.available is None else f"of {self.available / GIB:.1f} GiB"
        how = "activations computed anew" if self.anew else "activations kept"
        made = "blocks compiled" if self.compiled else "not compiled"
        return f"memory plan: {parts} = {total:.1f} GiB {where}; {how}; {made}"


def plan(
    parameters: Iterable[Tensor],
    others: Iterable[Tensor],
    activations: Activations,
    available: int | None,
    *,
    compiled: bool = False,
) -> MemoryPlan:
    """Decide.

    Args:
        parameters: the network's, adapter included.
        others: what else stays on the device: the VAE's parameters.
        activations: of one batch.
        available: bytes of the GPU; None on the CPU, where nothing is computed anew.
        compiled: whether blocks are compiled, which changes nothing of the estimate.
    """
    parameters = list(parameters)
    frozen = [value for value in parameters if not value.requires_grad]
    weights = sum(value.numel() * value.element_size() for value in (*frozen, *others))
    adapter = BYTES_A_TRAINED_PARAMETER * sum(value.numel() for value in parameters if value.requires_grad)
    needed = weights + adapter + activations.kept
    anew = available is not None and is_needed(needed, available, USABLE)
    chosen = activations.anew if anew else activations.kept
    return MemoryPlan(weights, adapter, chosen, available, anew, compiled)


def transformer_activations(tokens: int, width: int, blocks: int) -> Activations:
    """Of a transformer that reads `tokens` tokens, picture and text together."""
    block = BLOCK_KEEPS * tokens * width
    return Activations(kept=blocks * block, anew=blocks * BETWEEN_BLOCKS * tokens * width + block)


def unet_activations(pixels: int, width: int) -> Activations:
    """Of a U-Net whose first blocks have `width` channels."""
    share = width / UNET_WIDTH
    return Activations(
        kept=int(pixels * UNET_BYTES_A_PIXEL * share), anew=int(pixels * UNET_BYTES_A_PIXEL_ANEW * share)
    )
