"""Drawing with a teacher: diffusers' own pipeline, one stream of noise a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from proxytune.generation.batch_backoff import Room, give_back
from proxytune.images.chunk import Chunk, PictureRequest, invalid
from proxytune.teacher.denoising import draw_batch
from proxytune.teacher.families.base import DiffusionFamily
from proxytune.teacher.latents import stride
from proxytune.teacher.loading import load_part
from proxytune.teacher.merging import FusedAdapter
from proxytune.teacher.model import load_vae
from proxytune.teacher.text import TextEncoders, Texts, join
from proxytune.training import compilation
from proxytune.training.device import compute_dtype

# The pipelines want multiples of this as well, whatever the VAE's stride.
LEAST_STRIDE = 8
# Compiling a network's blocks takes about a minute, a picture's step a tenth of a second or more: chunks of
# fewer steps than these are no part of a job that wins by it (an estimate, not measured).
WORTHWHILE_STEPS = 200


class DiffusionMaker:
    """A `generation.generator.StreamingMaker`.

    Args:
        family: what is particular about the model.
        compiled: whether the network's blocks are compiled, for batches that are all of one size; None does
            so on a GPU, for chunks that are large enough.
        backend: what compiles them.
    """

    sampler_kind = "diffusion"

    def __init__(
        self, family: DiffusionFamily, *, compiled: bool | None = None, backend: str = "inductor"
    ) -> None:
        self._family, self._wanted, self._backend = family, compiled, backend
        self._texts: dict[str, Texts] = {}
        self._compiled = False

    def load(self, base: Path, adapter: Path | None, device: torch.device) -> None:
        """Load network and adapter, then the rest; text encoders wait on the CPU for the first prompts.

        Raises:
            ProxytuneError: ModelMissing, ModelMismatch.
        """
        family, self._base, self._device = self._family, base, device
        self._room = Room(device)
        self._dtype = dtype = compute_dtype(device)
        network = load_part(family.network_class(), base, family.network, dtype).to(device)
        self._adapter = FusedAdapter(network, adapter, family.network) if adapter is not None else None
        self._pipeline: Any = family.pipeline(base, network, load_vae(family, base, dtype, device))
        self._pipeline.set_progress_bar_config(disable=True)
        self._network = network
        self._encoders: TextEncoders | None = family.load_texts(base, dtype)

    def expect(self, prompts: Iterable[str]) -> None:
        """As `StreamingMaker.expect`; with the empty prompt, which guidance may need."""
        self._encode([*prompts, ""])

    def draw(self, chunk: Chunk) -> list[Image.Image]:
        """The chunk's pictures.

        Raises:
            ProxytuneError: HyperparameterInvalid for a size that the model cannot make, or for variant
                `tuned` without an adapter.
        """
        return [image for _, image in self.stream(chunk)]

    def stream(self, chunk: Chunk) -> Iterator[tuple[PictureRequest, Image.Image]]:
        """As `StreamingMaker.stream`, in the chunk's order; fewer at once where the memory asks for it.

        Raises:
            ProxytuneError: as for `draw`.
            torch.OutOfMemoryError: there is no room for a single picture.
        """
        self._check(chunk)
        if self._adapter is not None:
            self._adapter.switch(tuned=chunk.variant == "tuned")
        empty = self._family.needs_empty(self._pipeline, chunk.sampler["guidance"])
        self._encode([picture.prompt for picture in chunk.pictures] + ([""] if empty else []))
        compiled = self._compile(chunk)
        waiting = chunk.pictures
        while waiting:
            count = self._room.at_once(chunk.batch_size)
            batch = waiting[:count]
            # What is compiled is so for one shape: a smaller batch is filled up with its last picture.
            filled = batch + (batch[-1],) * (count - len(batch)) if compiled else batch
            attempt = partial(self._draw_batch, filled, chunk, len(batch), empty=empty, compiled=compiled)
            images = self._room.attempt(len(batch), len(filled), attempt)
            if images is None:
                continue
            yield from zip(batch, images, strict=True)
            waiting = waiting[count:]

    def _encode(self, prompts: list[str]) -> None:
        """Ask the text encoders about the prompts that they were not asked about yet, and let go of them.

        Where prompts come later they are read from the disk again: seconds, where keeping them costs up to
        12 GB for as long as pictures are drawn.
        """
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._texts]
        if not new:
            return
        encoders = self._encoders or self._family.load_texts(self._base, self._dtype)
        self._encoders = None
        encoders.to(self._device)
        for prompt in new:
            self._texts[prompt] = self._family.encode(encoders, [prompt])
        del encoders
        give_back(self._device)

    def _compile(self, chunk: Chunk) -> bool:
        """Whether a chunk is drawn compiled; the first one of these has the network compiled.

        The chunk alone decides: kernels round in their own ways, and its pictures must not depend on what
        this instance drew before.
        """
        worthwhile = len(chunk.pictures) * chunk.sampler["steps"] >= WORTHWHILE_STEPS
        wanted = compilation.possible(self._device) and worthwhile if self._wanted is None else self._wanted
        if wanted and not self._compiled:
            layers = compilation.layers_of(self._network, self._family.blocks)
            compilation.compile_layers(layers, backend=self._backend, fixed=True)
            print(f"{len(layers)} blocks are compiled at the first batch", flush=True)
            self._compiled = True
        return wanted

    def _draw_batch(
        self,
        batch: tuple[PictureRequest, ...],
        chunk: Chunk,
        wanted: int,
        *,
        empty: bool,
        compiled: bool,
    ) -> list[Image.Image]:
        """The first `wanted` pictures of a batch; what only fills it up is not decoded."""
        with nullcontext() if compiled else compilation.eagerly():
            drawn = draw_batch(
                self._family,
                self._pipeline,
                join([self._texts[request.prompt] for request in batch]),
                self._texts[""] if empty else None,
                [request.seed for request in batch],
                size=chunk.size,
                sampler=chunk.sampler,
            )
            return list(islice(drawn, wanted))

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
