"""Generating images with any teacher family: diffusers' own pipeline, one random stream per image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from proxytune.generation.batch_backoff import BatchBackoff
from proxytune.generation.generator import ImageGenerator
from proxytune.images.chunk import Chunk, PictureRequest, invalid
from proxytune.teacher.denoising import generate_batch, quiet_pipeline
from proxytune.teacher.families.base import DiffusionFamily
from proxytune.teacher.latents import load_vae, stride
from proxytune.teacher.loading import load_part
from proxytune.teacher.merging import MergedAdapter
from proxytune.teacher.text import PromptEmbeddings, TextEncoders, concatenate
from proxytune.training import compilation
from proxytune.training.device import compute_dtype, free_memory

# The pipelines want multiples of this as well, whatever the VAE's stride.
LEAST_STRIDE = 8
# Compiling a network's blocks takes about a minute, a step of an image a tenth of a second or more: stages of
# fewer steps than these would take longer with it (an estimate, not measured).
WORTHWHILE_STEPS = 200


class DiffusionGenerator(ImageGenerator):
    """Generates images with a diffusion model.

    Args:
        family: what is particular to the model.
        compiled: True compiles the network's blocks, for batches that are all of one size; None does so on a
            GPU, for stages that are large enough.
        backend: compiles them.
    """

    sampler_kind = "diffusion"

    def __init__(
        self, family: DiffusionFamily, *, compiled: bool | None = None, backend: str = "inductor"
    ) -> None:
        self.family, self._compile_always, self._backend = family, compiled, backend
        self._embeddings: dict[str, PromptEmbeddings] = {}
        self._compiled = False

    def load(self, base: Path, adapter: Path | None, device: torch.device) -> None:
        """Load network and adapter, then the rest; the text encoders stay on the CPU until the first prompts.

        Raises:
            ProxytuneError: ModelMissing, ModelMismatch.
        """
        family, self._base, self._device = self.family, base, device
        self._backoff = BatchBackoff(device)
        self._dtype = dtype = compute_dtype(device)
        network = load_part(family.network_class(), base, family.network, dtype).to(device)
        self._adapter = MergedAdapter(network, adapter, family.network) if adapter is not None else None
        vae = load_vae(base, dtype, device, float32=family.vae_float32)
        self.pipeline: Any = quiet_pipeline(family, base, network, vae)
        self._network = network
        self._encoders: TextEncoders | None = family.load_text_encoders(base, dtype)

    def encode_ahead(self, prompts: Iterable[str]) -> None:
        """Encode prompts, and the empty prompt, which guidance may need; then free the text encoders."""
        self._encode([*prompts, ""])

    def stream(self, chunk: Chunk) -> Iterator[tuple[PictureRequest, Image.Image]]:
        """Generate the chunk's images in its order; batches are smaller where memory runs out.

        Raises:
            ProxytuneError: HyperparameterInvalid for a size that the model cannot generate, or for variant
                `tuned` without an adapter.
            torch.OutOfMemoryError: the memory is not enough for a single image.
        """
        self._check(chunk)
        if self._adapter is not None:
            self._adapter.switch(tuned=chunk.variant == "tuned")
        empty = self.family.needs_empty_prompt(self.pipeline, chunk.sampler["guidance"])
        self._encode([picture.prompt for picture in chunk.pictures] + ([""] if empty else []))
        compiled = self._compile(chunk)
        waiting = chunk.pictures
        while waiting:
            count = self._backoff.batch_size(chunk.batch_size)
            batch = waiting[:count]
            # Compiled code is for one shape: a smaller batch is filled up with its last image.
            filled = batch + (batch[-1],) * (count - len(batch)) if compiled else batch
            attempt = partial(self._generate_batch, filled, chunk, len(batch), empty=empty, compiled=compiled)
            images = self._backoff.attempt(len(batch), len(filled), attempt)
            if images is None:
                continue
            yield from zip(batch, images, strict=True)
            waiting = waiting[count:]

    def _encode(self, prompts: list[str]) -> None:
        """Encode the prompts that were not encoded yet, and free the text encoders.

        For later prompts they are loaded from the disk again: that takes seconds, and keeping them would take
        up to 12 GB for as long as images are generated.
        """
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._embeddings]
        if not new:
            return
        encoders = self._encoders or self.family.load_text_encoders(self._base, self._dtype)
        self._encoders = None
        encoders.to(self._device)
        for prompt in new:
            self._embeddings[prompt] = self.family.encode_prompts(encoders, [prompt])
        del encoders
        free_memory(self._device)

    def _compile(self, chunk: Chunk) -> bool:
        """Return True when a chunk is generated compiled; the first such chunk compiles the network.

        What the chunk says of its whole stage decides: kernels round differently, and its images must not
        depend on what this instance generated before, or on how many images the chunk has.
        """
        images = chunk.stage_pictures or len(chunk.pictures)
        worthwhile = images * chunk.sampler["steps"] >= WORTHWHILE_STEPS
        compiled = self._compile_always
        if compiled is None:
            compiled = compilation.possible(self._device) and worthwhile
        if compiled and not self._compiled:
            layers = compilation.layers_of(self._network, self.family.blocks)
            compilation.compile_layers(layers, backend=self._backend, fixed=True)
            print(f"{len(layers)} blocks will be compiled at the first batch", flush=True)
            self._compiled = True
        return compiled

    def _generate_batch(
        self,
        batch: tuple[PictureRequest, ...],
        chunk: Chunk,
        wanted: int,
        *,
        empty: bool,
        compiled: bool,
    ) -> list[Image.Image]:
        """Generate a batch and decode its first `wanted` images; the others only fill it up."""
        with nullcontext() if compiled else compilation.eagerly():
            images = generate_batch(
                self.family,
                self.pipeline,
                concatenate([self._embeddings[request.prompt] for request in batch]),
                self._embeddings[""] if empty else None,
                [request.seed for request in batch],
                size=chunk.size,
                sampler=chunk.sampler,
            )
            return list(islice(images, wanted))

    def _check(self, chunk: Chunk) -> None:
        multiple = max(LEAST_STRIDE, stride(self.pipeline.vae) * self.family.patch)
        if chunk.size % multiple:
            raise invalid(
                "The image size does not fit the teacher",
                given=str(chunk.size),
                allowed=f"multiples of {multiple}",
            )
        if chunk.variant == "tuned" and self._adapter is None:
            raise invalid("Tuned images were requested, but there is no adapter")
