"""Drawing with a teacher: diffusers' own pipeline, one stream of noise a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from proxytune.proxies.chunk import Chunk, PictureRequest, invalid
from proxytune.teacher.diffusion import load_vae
from proxytune.teacher.family import DiffusionFamily, Drawing
from proxytune.teacher.fusing import FusedAdapter
from proxytune.teacher.latents import restore_latents, stride
from proxytune.teacher.loading import load_part
from proxytune.teacher.text import Texts, join

# The pipelines want multiples of this as well, whatever the VAE's stride.
LEAST_STRIDE = 8


class DiffusionMaker:
    """A `proxies.maker.PictureMaker`.

    Args:
        family: what is particular about the model.
    """

    sampler_kind = "diffusion"

    def __init__(self, family: DiffusionFamily) -> None:
        self._family = family
        self._texts: dict[str, Texts] = {}

    def load(self, base: Path, adapter: Path | None, device: torch.device) -> None:
        """Load network and adapter, then the rest; text encoders wait on the CPU.

        Raises:
            ProxytuneError: ModelMissing, ModelMismatch.
        """
        family, self._device = self._family, device
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        network = load_part(family.network_class(), base, family.network, dtype).to(device)
        self._adapter = FusedAdapter(network, adapter, family.network) if adapter is not None else None
        self._pipeline: Any = family.pipeline(base, network, load_vae(family, base, dtype, device))
        self._pipeline.set_progress_bar_config(disable=True)
        self._channels = family.channels(network)
        self._encoders = family.load_texts(base, dtype)

    @torch.no_grad()
    def draw(self, chunk: Chunk) -> list[Image.Image]:
        """The chunk's pictures.

        Raises:
            ProxytuneError: HyperparameterInvalid for a size that the model cannot make, or for variant
                `tuned` without an adapter.
        """
        self._check(chunk)
        if self._adapter is not None:
            self._adapter.switch(tuned=chunk.variant == "tuned")
        empty = self._family.needs_empty(self._pipeline, chunk.sampler["guidance"])
        self._encode([picture.prompt for picture in chunk.pictures] + ([""] if empty else []))
        return [
            picture for batch in chunk.batches() for picture in self._draw_batch(batch, chunk, empty=empty)
        ]

    def _encode(self, prompts: list[str]) -> None:
        """Ask the text encoders about the prompts that they were not asked about yet."""
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._texts]
        if not new:
            return
        self._encoders.to(self._device)
        for prompt in new:
            self._texts[prompt] = self._family.encode(self._encoders, [prompt])
        self._encoders.to(torch.device("cpu"))

    def _draw_batch(
        self, batch: tuple[PictureRequest, ...], chunk: Chunk, *, empty: bool
    ) -> list[Image.Image]:
        generators = [torch.Generator("cpu").manual_seed(request.seed) for request in batch]
        side = chunk.size // stride(self._pipeline.vae)
        shape = (1, self._channels, side, side)
        drawing = Drawing(
            texts=join([self._texts[request.prompt] for request in batch]),
            empty=self._texts[""].repeat(len(batch)) if empty else None,
            # Drawn here in float32 on the CPU: the same noise whatever device and type the network has.
            noise=torch.cat([torch.randn(shape, generator=generator) for generator in generators]),
            generators=generators,
            size=chunk.size,
            steps=chunk.sampler["steps"],
            guidance=chunk.sampler["guidance"],
        )
        # Decoded one at a time: decoding is the peak of memory at 1024 pixels.
        return [self._decode(row[None]) for row in self._family.draw(self._pipeline, drawing)]

    def _decode(self, latents: Tensor) -> Image.Image:
        vae = self._pipeline.vae
        restored = restore_latents(latents.float(), vae.config).to(vae.dtype)
        values = vae.decode(restored, return_dict=False)[0].float()
        pixels = ((values[0] / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
        return Image.fromarray(np.asarray(pixels.permute(1, 2, 0).cpu()))

    def _check(self, chunk: Chunk) -> None:
        step = max(LEAST_STRIDE, stride(self._pipeline.vae) * self._family.patch)
        if chunk.size % step:
            raise invalid(
                "The picture size does not fit the teacher",
                given=str(chunk.size),
                allowed=f"multiples of {step}",
            )
        if chunk.variant == "tuned" and self._adapter is None:
            raise invalid("Tuned pictures were asked for, but there is no adapter")
