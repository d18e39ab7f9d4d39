"""What the makers of all families do alike: batches of one shape, codes, pictures decoded one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from proxytune.contract.finite import finite
from proxytune.generation.batch_backoff import Room
from proxytune.images.chunk import Chunk, PictureRequest, invalid
from proxytune.student.adapters import load_adapter, with_adapter
from proxytune.student.image_arrays import full_precision, to_image
from proxytune.training.device import compute_dtype


class CodeMaker(ABC):
    """A `generation.generator.PictureMaker` that draws codes and decodes them.

    A family says what is particular to it by the methods that are abstract here.
    """

    sampler_kind = "autoregressive"
    size: int
    tuned: bool

    def load(self, base: Path, adapter: Path | None, device: torch.device) -> None:
        """Load the student and the adapter; bfloat16 on a GPU, float32 elsewhere.

        Raises:
            ProxytuneError: ModelMismatch.
        """
        self._device, self.tuned = device, adapter is not None
        self._room = Room(device)
        self.size = self.read(base, compute_dtype(device), device)
        if adapter is not None:
            self.put_on(adapter)

    @torch.no_grad()
    def draw(self, chunk: Chunk) -> list[Image.Image]:
        """The chunk's pictures.

        Raises:
            ProxytuneError: HyperparameterInvalid for another size than the model's, for a prompt that the
                family cannot read, or for variant `tuned` without an adapter.
            torch.OutOfMemoryError: there is no room for a single picture.
        """
        self._check(chunk)
        drawn: dict[int, Image.Image] = {}
        with self.variant(chunk.variant):
            for request, codes in self._sampled(chunk):
                drawn[request.index] = self._decode(codes, request.seed)
        return [drawn[request.index] for request in chunk.pictures]

    def _sampled(self, chunk: Chunk) -> Iterator[tuple[PictureRequest, Tensor]]:
        """Codes of pictures: as many at once as the chunk says, fewer where the memory asks for it."""
        for group in self._groups(chunk):
            while group:
                count = self._room.at_once(chunk.batch_size)
                batch = group[:count]
                # bfloat16 products round otherwise for other batch sizes, and a rounding can change a code
                # and with it the picture. On a GPU, which waits for memory at these sizes, full batches cost
                # nothing.
                rows = count if self._device.type == "cuda" else None
                codes = self._room.attempt(
                    len(batch), rows or len(batch), partial(self._sample, batch, chunk, rows)
                )
                if codes is None:
                    continue
                yield from zip(batch, codes, strict=True)
                group = group[count:]

    def _groups(self, chunk: Chunk) -> Iterable[list[PictureRequest]]:
        """Pictures whose prompts are as long: so no neighbour's prompt changes the shapes of a picture's."""
        groups: dict[int, list[PictureRequest]] = {}
        for request in chunk.pictures:
            groups.setdefault(self.slots(request.prompt), []).append(request)
        return groups.values()

    def _sample(self, batch: list[PictureRequest], chunk: Chunk, rows: int | None) -> Tensor:
        settings = {name: value for name, value in chunk.sampler.items() if name != "kind"}
        prompts, seeds = [one.prompt for one in batch], [one.seed for one in batch]
        return self.codes(prompts, seeds, {**settings, "rows": rows})

    def _decode(self, codes: Tensor, seed: int) -> Image.Image:
        """One at a time: so a picture's neighbours cannot change how its convolutions are computed."""
        with full_precision():
            values = self.pixels(codes[None])[0]
        part = "decoder of the student's picture tokenizer"
        return to_image(finite(values, part, f"the picture of seed {seed}"))

    def _check(self, chunk: Chunk) -> None:
        if chunk.size != self.size:
            raise invalid(
                "This student draws pictures of one size only", given=str(chunk.size), allowed=str(self.size)
            )
        if chunk.variant == "tuned" and not self.tuned:
            raise invalid("Tuned pictures were asked for, but there is no adapter")

    @abstractmethod
    def read(self, base: Path, dtype: torch.dtype, device: torch.device) -> int:
        """Read the model folder; return the side of its pictures in pixels.

        Args:
            dtype: of the transformer; picture tokenizers are float32.
        """

    @abstractmethod
    def put_on(self, adapter: Path) -> None:
        """Read the adapter of this folder."""

    @abstractmethod
    def variant(self, name: str) -> AbstractContextManager[None]:
        """While inside, draw with the adapter (`tuned`) or without (`base`)."""

    @abstractmethod
    def slots(self, prompt: str) -> int:
        """How many places a prompt takes before its picture."""

    @abstractmethod
    def codes(self, prompts: list[str], seeds: list[int], settings: dict[str, Any]) -> Tensor:
        """Draw codes (len(prompts), codes a picture), each row from its own seed alone.

        Args:
            prompts: all of as many `slots`.
            settings: guidance, temperature, top_k, top_p; and rows: compute as many pictures at once,
                whatever the number asked for, None those only.
        """

    @abstractmethod
    def pixels(self, codes: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), about [-1, 1], of codes (B, codes a picture)."""


class SwitchedMaker(CodeMaker):
    """A `CodeMaker` of one language model, on which the adapter is switched on and off."""

    student: Any
    lm: nn.Module

    @abstractmethod
    def student_of(self, base: Path, dtype: torch.dtype, device: torch.device) -> Any:
        """The family's student: a `lm`, its `image_size`, and what else the family needs."""

    def read(self, base: Path, dtype: torch.dtype, device: torch.device) -> int:
        """As `CodeMaker.read`."""
        self.student = self.student_of(base, dtype, device)
        self.lm = self.student.lm
        return int(self.student.image_size)

    def put_on(self, adapter: Path) -> None:
        """As `CodeMaker.put_on`."""
        self.lm = load_adapter(self.lm, adapter)

    def variant(self, name: str) -> AbstractContextManager[None]:
        """As `CodeMaker.variant`."""
        return with_adapter(self.lm, on=name == "tuned")
