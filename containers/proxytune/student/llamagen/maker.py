"""Drawing with LlamaGen: tokens from the transformer, pictures from the VQ decoder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from proxytune.proxies.chunk import Chunk, PictureRequest, invalid
from proxytune.student.adapters import load_adapter
from proxytune.student.llamagen.adapter import merged
from proxytune.student.llamagen.captions import CaptionEncoder
from proxytune.student.llamagen.checkpoint import load_student
from proxytune.student.llamagen.pictures import full_precision, to_image
from proxytune.student.llamagen.sampling import sample_tokens
from proxytune.student.llamagen.transformer import trim_caption


class LlamaGenMaker:
    """A `proxies.maker.PictureMaker`."""

    sampler_kind = "autoregressive"

    def load(self, base: Path, adapter: Path | None, device: torch.device) -> None:
        """Load the student and the adapter; bfloat16 on a GPU, float32 elsewhere.

        Raises:
            ProxytuneError: ModelMismatch.
        """
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        student = load_student(base, dtype=dtype, text_dtype=dtype, device=device)
        assert isinstance(student.captions, CaptionEncoder)
        self._device, self._vq = device, student.vq
        self._captions, self._size = student.captions, student.image_size
        self._gpts = {"base": student.gpt}
        if adapter is not None:
            wrapped = load_adapter(student.gpt, adapter)
            self._gpts["tuned"] = merged(wrapped)
            wrapped.unload()
        self._features: dict[str, Tensor] = {}

    @torch.no_grad()
    def draw(self, chunk: Chunk) -> list[Image.Image]:
        """The chunk's pictures.

        Raises:
            ProxytuneError: HyperparameterInvalid for another size than the model's, for guidance below 1, or
                for variant `tuned` without an adapter.
        """
        self._check(chunk)
        drawn: dict[int, Image.Image] = {}
        for batch in self._batches(chunk):
            tokens = self._sample(batch, chunk)
            for request, row in zip(batch, tokens, strict=True):
                drawn[request.index] = self._decode(row)
        return [drawn[request.index] for request in chunk.pictures]

    def _batches(self, chunk: Chunk) -> Iterator[list[PictureRequest]]:
        """Pictures whose captions have as many slots: such a batch needs neither padding nor a mask."""
        groups: dict[int, list[PictureRequest]] = {}
        for request in chunk.pictures:
            groups.setdefault(self._encode(request.prompt).shape[1], []).append(request)
        for group in groups.values():
            for start in range(0, len(group), chunk.batch_size):
                yield group[start : start + chunk.batch_size]

    def _sample(self, batch: list[PictureRequest], chunk: Chunk) -> Tensor:
        """Tokens (len(batch), block_size)."""
        sampler = chunk.sampler
        return sample_tokens(
            self._gpts[chunk.variant],
            torch.cat([self._encode(request.prompt) for request in batch]),
            None,
            [request.seed for request in batch],
            guidance=sampler["guidance"],
            temperature=sampler["temperature"],
            top_k=sampler["top_k"],
            top_p=sampler["top_p"],
            # bfloat16 products round otherwise for other batch sizes, and a rounding can change a token and
            # with it the picture. On a GPU, which waits for memory at these sizes, full batches cost nothing.
            rows=chunk.batch_size if self._device.type == "cuda" else None,
        )

    def _decode(self, tokens: Tensor) -> Image.Image:
        """One at a time: so a picture's neighbours cannot change how its convolutions are computed."""
        with full_precision():
            return to_image(self._vq.decode(tokens[None])[0])

    def _encode(self, prompt: str) -> Tensor:
        """The prompt's features without padding, (1, n, caption_dim)."""
        if prompt not in self._features:
            features, _ = trim_caption(*self._captions.encode([prompt]))
            self._features[prompt] = features
        return self._features[prompt]

    def _check(self, chunk: Chunk) -> None:
        if chunk.size != self._size:
            raise invalid(
                "This student draws pictures of one size only", given=str(chunk.size), allowed=str(self._size)
            )
        if chunk.variant not in self._gpts:
            raise invalid("Tuned pictures were asked for, but there is no adapter")
