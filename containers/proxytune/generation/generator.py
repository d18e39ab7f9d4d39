"""What every family's sampler offers to those that ask for pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from proxytune.images.chunk import Chunk, PictureRequest

if TYPE_CHECKING:
    import torch
    from PIL import Image


class PictureMaker(Protocol):
    """Draws pictures, with the adapter or without."""

    sampler_kind: str
    """The kind of chunk sampler it understands: diffusion or autoregressive."""

    def load(self, base: Path, adapter: Path | None, device: torch.device) -> None:
        """Load the base model and, where there is one, the adapter.

        Args:
            base: the model's folder; stays where it is while pictures are drawn, as parts may be read later.

        Raises:
            ProxytuneError: ModelMissing, ModelMismatch.
        """
        ...

    def draw(self, chunk: Chunk) -> list[Image.Image]:
        """The chunk's pictures in its order; every one depends on its own seed only.

        Variant `base` is drawn with the adapter switched off.

        Raises:
            ProxytuneError: HyperparameterInvalid when the chunk asks for what this model cannot draw.
        """
        ...


@runtime_checkable
class StreamingMaker(PictureMaker, Protocol):
    """One that gives each picture away as soon as it is drawn, and can be told early what will be asked."""

    def expect(self, prompts: Iterable[str]) -> None:
        """Read these prompts now, so that what reads them need not stay in memory."""
        ...

    def stream(self, chunk: Chunk) -> Iterator[tuple[PictureRequest, Image.Image]]:
        """The pictures of `draw`, one by one."""
        ...


def pictures_of(maker: PictureMaker, chunk: Chunk) -> Iterator[tuple[PictureRequest, Image.Image]]:
    """The chunk's pictures with what asked for them, as early as the maker gives them."""
    if isinstance(maker, StreamingMaker):
        yield from maker.stream(chunk)
    else:
        yield from zip(chunk.pictures, maker.draw(chunk), strict=True)
