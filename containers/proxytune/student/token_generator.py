"""Generating images with any student family: full batches of one shape, tokens, images decoded one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from proxytune.contract.finite import finite
from proxytune.generation.batch_backoff import BatchBackoff
from proxytune.generation.generator import ImageGenerator
from proxytune.images.chunk import Chunk, PictureRequest, invalid
from proxytune.student.families.base import StudentFamily
from proxytune.student.image_arrays import full_precision, to_image
from proxytune.student.tuning.registry import load_tuned
from proxytune.training.device import compute_dtype


class TokenGenerator(ImageGenerator):
    """Generates images by sampling tokens and decoding them.

    Args:
        family: what is particular to the model.
    """

    sampler_kind = "autoregressive"

    def __init__(self, family: StudentFamily) -> None:
        self.family = family

    def load(self, base: Path, adapter: Path | None, device: torch.device) -> None:
        """Load the student and what was trained of it; bfloat16 on a GPU, float32 elsewhere.

        Raises:
            ProxytuneError: ModelMismatch.
        """
        self._device, self._backoff = device, BatchBackoff(device)
        model = self.family.load_model(base, dtype=compute_dtype(device), device=device)
        self._adapter = None if adapter is None else load_tuned(self.family, model, adapter)
        self._model = model if self._adapter is None else self._adapter.model

    def encode_ahead(self, prompts: Iterable[str]) -> None:
        """Do nothing: prompts are part of the transformer's input."""

    @torch.no_grad()
    def stream(self, chunk: Chunk) -> Iterator[tuple[PictureRequest, Image.Image]]:
        """Generate the chunk's images, as many at once as the chunk says.

        Raises:
            ProxytuneError: HyperparameterInvalid for another size than the model's, for a prompt that the
                family cannot read, or for variant `tuned` without an adapter.
            torch.OutOfMemoryError: the memory is not enough for a single image.
        """
        self._check(chunk)
        for request, tokens in self._sample(chunk):
            yield request, self._decode(tokens, request.seed)

    def variant(self, name: str) -> nn.Module:
        """Return the transformer, now with what was trained (`tuned`) or without it (`base`)."""
        if self._adapter is not None:
            self._adapter.switch(on=name == "tuned")
        return self._model

    def _sample(self, chunk: Chunk) -> Iterator[tuple[PictureRequest, Tensor]]:
        """Sample the tokens of images in batches of the chunk's size, smaller ones where memory runs out."""
        for group in self._groups(chunk):
            while group:
                count = self._backoff.batch_size(chunk.batch_size)
                batch = group[:count]
                # bfloat16 products round differently for other batch sizes, and a rounding can change a token
                # and with it the image. On a GPU, which waits for memory at these sizes, full batches cost
                # little more, and only the last batch of a chunk is not full anyway.
                rows = count if self._device.type == "cuda" else None
                tokens = self._backoff.attempt(
                    len(batch), rows or len(batch), partial(self._sample_batch, batch, chunk, rows)
                )
                if tokens is None:
                    continue
                yield from zip(batch, tokens, strict=True)
                group = group[count:]

    def _groups(self, chunk: Chunk) -> Iterable[list[PictureRequest]]:
        """Group images by the padded length of their prompts: other prompts then change no image's shapes.

        Padding is such that nearly always all of them are one group.
        """
        groups: dict[int, list[PictureRequest]] = {}
        for request in chunk.pictures:
            groups.setdefault(self.family.padded_length(request.prompt), []).append(request)
        return groups.values()

    def _sample_batch(self, batch: list[PictureRequest], chunk: Chunk, rows: int | None) -> Tensor:
        settings = {name: value for name, value in chunk.sampler.items() if name != "kind"}
        prompts, seeds = [one.prompt for one in batch], [one.seed for one in batch]
        # Here and not once for the chunk: another chunk may have been generated since its last batch.
        model = self.variant(chunk.variant)
        return self.family.generate_tokens(model, prompts, seeds, {**settings, "rows": rows})

    def _decode(self, tokens: Tensor, seed: int) -> Image.Image:
        """Decode one image at a time: its neighbours then cannot change how its convolutions are computed."""
        with full_precision():
            values = self.family.decode(tokens[None])[0]
        part = "decoder of the student's image tokenizer"
        return to_image(finite(values, part, f"the image of seed {seed}"))

    def _check(self, chunk: Chunk) -> None:
        size = self.family.image_size
        if chunk.size != size:
            raise invalid(
                "This student generates images of one size only", given=str(chunk.size), allowed=str(size)
            )
        if chunk.variant == "tuned" and self._adapter is None:
            raise invalid("Tuned images were requested, but there is no adapter")
