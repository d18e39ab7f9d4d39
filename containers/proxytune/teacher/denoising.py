"""A batch of pictures from diffusers' own pipeline: one stream of noise a picture, whoever asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from proxytune.contract.finite import finite
from proxytune.teacher.families.base import DiffusionFamily, Drawing
from proxytune.teacher.latents import restore_latents, stride
from proxytune.teacher.text import Texts

# Which of the two is to blame shows in the untuned pictures, which have no adapter.
TAUGHT_TOO_FAST = (
    "import the model again where its untuned pictures fail too; else teach it again at a lower "
    "advanced.teach.learningRate"
)


def draw_batch(
    family: DiffusionFamily,
    pipeline: Any,
    texts: Texts,
    empty: Texts | None,
    seeds: Sequence[int],
    *,
    size: int,
    sampler: Mapping[str, Any],
) -> Iterator[Image.Image]:
    """Pictures of the network that the pipeline holds, each from its own seed alone.

    Args:
        pipeline: as `family.pipeline` makes it.
        texts: one prompt a picture.
        empty: the empty prompt, once; None where guidance does not need it.
        seeds: one a picture.
        size: side in pixels.
        sampler: its `steps` and `guidance`.

    Raises:
        ProxytuneError: ModelNotFinite; the picture would be black.
    """
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    network = getattr(pipeline, family.network)
    side = size // stride(pipeline.vae)
    shape = (1, family.channels(network), side, side)
    drawing = Drawing(
        texts=texts,
        empty=None if empty is None else empty.repeat(len(seeds)),
        # Drawn here in float32 on the CPU: the same noise whatever device and type the network has.
        noise=torch.cat([torch.randn(shape, generator=generator) for generator in generators]),
        generators=generators,
        size=size,
        steps=sampler["steps"],
        guidance=sampler["guidance"],
    )
    # Decoded one at a time: decoding is the peak of memory at 1024 pixels.
    for row, seed in zip(family.draw(pipeline, drawing), seeds, strict=True):
        of = f"the picture of seed {seed}"
        finite(row, f"network {type(network).__name__}", of, remedy=TAUGHT_TOO_FAST)
        yield _decode(pipeline.vae, row[None], of)


@torch.no_grad()
def _decode(vae: Any, latents: Tensor, of: str) -> Image.Image:
    restored = restore_latents(latents.float(), vae.config).to(vae.dtype)
    values = finite(vae.decode(restored, return_dict=False)[0], f"VAE {type(vae).__name__}", of).float()
    pixels = ((values[0] / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(np.asarray(pixels.permute(1, 2, 0).cpu()))
