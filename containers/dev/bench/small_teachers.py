"""Teachers for the bench: the real classes in small, with parts of about the original proportions.

For a picture of 1024 pixels the originals need about so many TFLOP, by the estimates of docs/models.md and
ours: the network once 6 (SDXL), 9 (SD3 Medium), 95 (FLUX.1-dev), the VAE's encoder 4.5, the texts 0.1, 2.5
and 5. The parts here are near these shares, no more; the bench measures them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dev import tiny_models
from dev.tiny_models import flux, sd3, sdxl
from dev.tiny_models.diffusers_folder import Sizes


@dataclass(frozen=True)
class Scale:
    """A model to measure.

    Attributes:
        write: puts it into a folder.
        size: side of its pictures in pixels.
        text_length: tokens of a prompt that its pipeline reads; None where that is fixed.
    """

    write: Callable[[Path], None]
    size: int
    text_length: int | None


SMALL_SDXL = Sizes(
    clips=(64, 128),
    network={
        "sample_size": 32,
        "block_out_channels": (64, 128, 256),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 2,
        # SDXL's 1, 2 and 10, with less depth.
        "transformer_layers_per_block": (1, 2, 4),
        "attention_head_dim": (2, 4, 8),
        "norm_num_groups": 32,
    },
    vae={"block_out_channels": (32, 64, 128, 128), "layers_per_block": 2, "norm_num_groups": 32},
)
SMALL_SD3 = Sizes(
    clips=(64, 128),
    t5=256,
    t5_length=32,
    t5_settings={"d_kv": 64, "d_ff": 640, "num_layers": 8},
    network={
        "sample_size": 32,
        "pos_embed_max_size": 16,
        "num_layers": 8,
        "attention_head_dim": 64,
        "num_attention_heads": 6,
        "caption_projection_dim": 384,
    },
    vae={"block_out_channels": (16, 32, 64, 64), "layers_per_block": 2},
)
SMALL_FLUX = Sizes(
    clips=(64,),
    t5=512,
    t5_length=32,
    t5_settings={"d_kv": 64, "d_ff": 1280, "num_layers": 8, "num_heads": 8},
    network={
        "num_layers": 4,
        "num_single_layers": 8,
        "attention_head_dim": 64,
        "num_attention_heads": 8,
        "axes_dims_rope": (8, 28, 28),
    },
    vae={"block_out_channels": (8, 16, 32, 32), "layers_per_block": 2},
)

# Family -> scale -> model.
SCALES: dict[str, dict[str, Scale]] = {
    "sdxl": {
        "tiny": Scale(lambda folder: tiny_models.write("sdxl-tiny", folder), 64, None),
        "small": Scale(lambda folder: sdxl.write(folder, SMALL_SDXL), 256, None),
    },
    "sd3": {
        "tiny": Scale(lambda folder: tiny_models.write("sd3-medium-tiny", folder), 64, 64),
        "small": Scale(lambda folder: sd3.write_medium(folder, SMALL_SD3), 256, 32),
    },
    "flux": {
        "tiny": Scale(lambda folder: tiny_models.write("flux-dev-tiny", folder), 64, 64),
        "small": Scale(lambda folder: flux.write(folder, SMALL_FLUX), 256, 32),
    },
}
