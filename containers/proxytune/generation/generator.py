"""The interface of every family's image generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from proxytune.images.chunk import Chunk, PictureRequest

if TYPE_CHECKING:
    import torch
    from PIL import Image


class ImageGenerator(ABC):
    """Generates images, with the adapter or without."""

    sampler_kind: ClassVar[str]
    """The kind of sampler that it understands: diffusion or autoregressive."""

    @abstractmethod
    def load(self, base: Path, adapter: Path | None, device: torch.device) -> None:
        """Load the base model and, if there is one, the adapter.

        Args:
            base: the model's folder; it must exist while images are generated, as parts may be read later.

        Raises:
            ProxytuneError: ModelMissing, ModelMismatch.
        """

    @abstractmethod
    def stream(self, chunk: Chunk) -> Iterator[tuple[PictureRequest, Image.Image]]:
        """Generate the chunk's images, each as early as possible and in any order.

        Every image depends on its own seed only. Variant `base` is generated with the adapter switched off.

        Raises:
            ProxytuneError: HyperparameterInvalid when the model cannot generate what the chunk requests.
            torch.OutOfMemoryError: the memory is not enough for a single image.
        """

    def generate(self, chunk: Chunk) -> list[Image.Image]:
        """Generate the chunk's images in its order; raises as `stream`."""
        images = {request.index: image for request, image in self.stream(chunk)}
        return [images[request.index] for request in chunk.pictures]

    @abstractmethod
    def encode_ahead(self, prompts: Iterable[str]) -> None:
        """Encode prompts before their chunks arrive, so that text encoders can be freed.

        A model without text encoders of its own does nothing, and does not even read the prompts.
        """
