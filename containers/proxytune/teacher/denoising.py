"""Generating a batch of images with diffusers' own pipeline, during the training or after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from proxytune.contract.finite import finite
from proxytune.teacher.families.base import DenoisingInputs, DiffusionFamily
from proxytune.teacher.latents import restore_latents, stride
from proxytune.teacher.text import PromptEmbeddings

# The untuned images, which have no adapter, show which of the two is at fault.
LEARNING_RATE_OR_WEIGHTS = (
    "import the model again where its untuned images fail too; else teach it again at a lower "
    "advanced.teach.learningRate"
)


def quiet_pipeline(family: DiffusionFamily, base: Path, network: Any, vae: Any) -> Any:
    """Make the family's pipeline, without progress bars."""
    pipeline = family.pipeline(base, network, vae)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generate_batch(
    family: DiffusionFamily,
    pipeline: Any,
    prompts: PromptEmbeddings,
    empty: PromptEmbeddings | None,
    seeds: Sequence[int],
    *,
    size: int,
    sampler: Mapping[str, Any],
) -> Iterator[Image.Image]:
    """Generate images with the pipeline's network; each depends on its own seed alone.

    Args:
        pipeline: as `family.pipeline` makes it.
        prompts: one per image.
        empty: the empty prompt, once; None where guidance does not need it.
        seeds: one per image.
        size: side in pixels.
        sampler: its `steps` and `guidance`.

    Raises:
        ProxytuneError: ModelNotFinite; the image would be black.
    """
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    network = getattr(pipeline, family.network)
    side = size // stride(pipeline.vae)
    shape = (1, family.latent_channels(network), side, side)
    inputs = DenoisingInputs(
        prompts=prompts,
        empty=None if empty is None else empty.repeat(len(seeds)),
        # Sampled in float32 on the CPU: the same noise for every device and type of the network.
        noise=torch.cat([torch.randn(shape, generator=generator) for generator in generators]),
        generators=generators,
        size=size,
        steps=sampler["steps"],
        guidance=sampler["guidance"],
    )
    # Decoded one at a time: decoding is the peak of memory at 1024 pixels.
    for row, seed in zip(family.denoise(pipeline, inputs), seeds, strict=True):
        image = f"the image of seed {seed}"
        finite(row, f"network {type(network).__name__}", image, remedy=LEARNING_RATE_OR_WEIGHTS)
        yield _decode(pipeline.vae, row[None], image)


@torch.no_grad()
def _decode(vae: Any, latents: Tensor, image: str) -> Image.Image:
    restored = restore_latents(latents.float(), vae.config).to(vae.dtype)
    values = finite(vae.decode(restored, return_dict=False)[0], f"VAE {type(vae).__name__}", image).float()
    pixels = ((values[0] / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(np.asarray(pixels.permute(1, 2, 0).cpu()))
