"""Drawing with a teacher: diffusers' own pipeline, one stream of noise a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image

from proxytune.proxies.chunk import Chunk, PictureRequest, invalid
from proxytune.teacher.diffusion import load_vae
from proxytune.teacher.drawing import draw_batch
from proxytune.teacher.family import DiffusionFamily
from proxytune.teacher.fusing import FusedAdapter
from proxytune.teacher.latents import stride
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
        return list(
            draw_batch(
                self._family,
                self._pipeline,
                join([self._texts[request.prompt] for request in batch]),
                self._texts[""] if empty else None,
                [request.seed for request in batch],
                size=chunk.size,
                sampler=chunk.sampler,
            )
        )

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
