"""The interface of the generators of all families."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from proxytune.images.chunk import Chunk, PictureRequest

if TYPE_CHECKING:
    import torch
    from PIL import Image


class ImageGenerator(ABC):
    """Generates images, with the adapter or without.

    Attributes:
        sampler_kind: the kind of chunk sampler that it understands, diffusion or autoregressive.
        encodes_prompts_early: True when `expect` has an effect, so that reading prompts for it pays.
    """

    sampler_kind: str
    encodes_prompts_early = False

    @abstractmethod
    def load(self, base: Path, adapter: Path | None, device: torch.device) -> None:
        """Load the base model and, where there is one, the adapter.

        Args:
            base: the model's folder; must stay while images are generated, as parts may be loaded later.

        Raises:
            ProxytuneError: ModelMissing, ModelMismatch.
        """

    @abstractmethod
    def draw(self, chunk: Chunk) -> list[Image.Image]:
        """Generate the chunk's images in its order; each depends on its own seed only.

        Variant `base` is generated with the adapter switched off.

        Raises:
            ProxytuneError: HyperparameterInvalid for a chunk that this model cannot generate.
        """

    def stream(self, chunk: Chunk) -> Iterator[tuple[PictureRequest, Image.Image]]:
        """Generate the images of `draw` with their requests, each as early as the family can."""
        yield from zip(chunk.pictures, self.draw(chunk), strict=True)

    def expect(self, prompts: Iterable[str]) -> None:  # noqa: B027 - optional
        """Prepare for these prompts, where that saves memory later; nothing by default."""
