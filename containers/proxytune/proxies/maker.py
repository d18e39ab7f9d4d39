"""What every family's sampler offers to the server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from proxytune.proxies.chunk import Chunk

if TYPE_CHECKING:
    import torch
    from PIL import Image


class PictureMaker(Protocol):
    """Draws pictures, with the adapter or without."""

    sampler_kind: str
    """The kind of chunk sampler it understands: diffusion or autoregressive."""

    def load(self, base: Path, adapter: Path | None, device: torch.device) -> None:
        """Load the base model and, where there is one, the adapter.

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
