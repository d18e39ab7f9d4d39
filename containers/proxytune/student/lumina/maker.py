"""Drawing with Lumina: codes from the transformer, pictures from the VQGAN's decoder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from proxytune.proxies.chunk import Chunk, PictureRequest, invalid
from proxytune.student.adapters import load_adapter
from proxytune.student.llamagen.pictures import full_precision, to_image
from proxytune.student.lumina.checkpoint import load_student
from proxytune.student.lumina.sampling import sample_codes

if TYPE_CHECKING:
    from peft import PeftModel


class LuminaMaker:
    """A `proxies.maker.PictureMaker`."""

    sampler_kind = "autoregressive"

    def load(self, base: Path, adapter: Path | None, device: torch.device) -> None:
        """Load the student and the adapter; bfloat16 on a GPU, float32 elsewhere.

        Raises:
            ProxytuneError: ModelMismatch.
        """
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        self._student = load_student(base, dtype=dtype, device=device)
        self._device = device
        lm = self._student.lm
        self._tuned: PeftModel | None = None if adapter is None else load_adapter(lm, adapter)

    @torch.no_grad()
    def draw(self, chunk: Chunk) -> list[Image.Image]:
        """The chunk's pictures.

        Raises:
            ProxytuneError: HyperparameterInvalid for another size than the model's, for a prompt that spells
                picture marks, or for variant `tuned` without an adapter.
        """
        self._check(chunk)
        drawn: dict[int, Image.Image] = {}
        with self._variant(chunk.variant):
            for batch in self._batches(chunk):
                codes = self._sample(batch, chunk)
                for request, row in zip(batch, codes, strict=True):
                    drawn[request.index] = self._decode(row)
        return [drawn[request.index] for request in chunk.pictures]

    def _variant(self, variant: str) -> AbstractContextManager[None]:
        if self._tuned is None or variant == "tuned":
            return nullcontext()
        return self._tuned.disable_adapter()

    def _batches(self, chunk: Chunk) -> Iterator[list[PictureRequest]]:
        """Pictures whose prompts are as long: so no neighbour's prompt changes the shapes of a picture's."""
        groups: dict[int, list[PictureRequest]] = {}
        for request in chunk.pictures:
            groups.setdefault(len(self._encode(request.prompt)), []).append(request)
        for group in groups.values():
            for start in range(0, len(group), chunk.batch_size):
                yield group[start : start + chunk.batch_size]

    def _sample(self, batch: list[PictureRequest], chunk: Chunk) -> Tensor:
        """Codes (len(batch), codes a picture)."""
        sampler = chunk.sampler
        return sample_codes(
            self._student.lm if self._tuned is None else self._tuned,
            self._student.layout,
            [self._encode(request.prompt) for request in batch],
            self._student.grid,
            [request.seed for request in batch],
            guidance=sampler["guidance"],
            temperature=sampler["temperature"],
            top_k=sampler["top_k"],
            top_p=sampler["top_p"],
            # bfloat16 products round otherwise for other batch sizes, and a rounding can change a code and
            # with it the picture.
            rows=chunk.batch_size if self._device.type == "cuda" else None,
        )

    def _decode(self, codes: Tensor) -> Image.Image:
        """One at a time: so a picture's neighbours cannot change how its convolutions are computed."""
        grid = self._student.grid
        with full_precision():
            return to_image(self._student.vq.decode(codes[None], (grid.rows, grid.columns))[0])

    def _encode(self, prompt: str) -> list[int]:
        size = self._student.image_size
        return self._student.prompts.encode(prompt, size, size)

    def _check(self, chunk: Chunk) -> None:
        size = self._student.image_size
        if chunk.size != size:
            raise invalid(
                "This student draws pictures of one size only", given=str(chunk.size), allowed=str(size)
            )
        if chunk.variant == "tuned" and self._tuned is None:
            raise invalid("Tuned pictures were asked for, but there is no adapter")
