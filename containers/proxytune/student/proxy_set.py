"""The proxies as training images: squares of one size, used in a seeded order."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from proxytune.contract.errors import ProxytuneError
from proxytune.images.shard import Picture
from proxytune.masks.proxy_masks import mask_sha256
from proxytune.masks.weights import Mask, loss_weights, pooled, without_background
from proxytune.student.training_images import in_epochs


class ProxySet:
    """The proxies of a subject, in order of their index.

    Args:
        pictures: as `images.dataset.read_proxies` returns them; read from disk when needed.
        size: side of the square training image in pixels.
        masks: one per proxy, square, None for a proxy that counts as a whole; empty where no proxy has one.
        background: weight of a masked proxy's background in the loss. With 0 the background is painted over,
            as it would otherwise reach the loss through the tokens that the subject's are predicted from.

    Attributes:
        sha256: of every image's PNG.
        prompts: the prompt that every image was synthesized from and is learned under.
    """

    def __init__(
        self,
        pictures: list[Picture],
        size: int,
        *,
        masks: Sequence[Mask | None] = (),
        background: float = 0.0,
    ) -> None:
        self.size, self._masks, self._background = size, masks, background
        self._pictures = pictures
        self.sha256 = [picture.record.sha256 for picture in pictures]
        self.prompts = [picture.record.prompt for picture in pictures]

    def __len__(self) -> int:
        return len(self._pictures)

    @property
    def digest(self) -> str:
        """One SHA-256 for all of them: that of their PNGs' hashes, in order, a line each."""
        return hashlib.sha256("\n".join(self.sha256).encode("ascii")).hexdigest()

    @property
    def facts(self) -> dict[str, object]:
        """The hash of all proxies."""
        return {"proxies_sha256": self.digest}

    @property
    def data(self) -> list[str]:
        """All that a training learns from, as text: the hash of every picture, its prompt, and its mask's."""
        masks = [f"mask {None if mask is None else mask_sha256(mask)}" for mask in self._masks]
        return [*self.sha256, *self.prompts, *masks]

    def index_at(self, position: int, seed: int) -> int:
        """Return the index of the `position`-th training image: every epoch has all, in a new order."""
        return in_epochs(position, len(self), seed)

    def weights(self, tokens: int) -> Tensor | None:
        """Compute the weights of all proxies' tokens: (len(self), tokens), each proxy's of mean 1.

        Args:
            tokens: of an image, a square of them.

        Returns:
            None where no proxy has a mask.
        """
        side = math.isqrt(tokens)
        if all(mask is None for mask in self._masks):
            return None
        rows = []
        for mask in self._masks:
            shares = torch.ones(side, side) if mask is None else pooled(torch.from_numpy(mask), side, side)
            rows.append(loss_weights(shares, self._background).flatten())
        return torch.stack(rows)

    def pixels(self, indices: range) -> Tensor:
        """Return images as (len(indices), 3, size, size), float32 in [-1, 1].

        Raises:
            ProxytuneError: ModelMismatch for an image smaller than the student's.
        """
        return torch.stack([self._one(index) for index in indices])

    def _one(self, index: int) -> Tensor:
        picture = self._pictures[index]
        image = picture.image()
        mask = self._masks[index] if self._masks else None
        if mask is not None and self._background == 0:
            # Before it is scaled, which mixes neighbouring pixels.
            image = without_background(image, mask, index)
        if min(image.size) < self.size:
            raise ProxytuneError(
                "ModelMismatch",
                what=f"The proxy {picture.record.index} is smaller than the student's images",
                given=f"{image.width} x {image.height} pixels",
                allowed=f"at least {self.size} x {self.size}",
                remedy="let the teacher generate at the student's size or above",
            )
        values = np.asarray(square(image, self.size), dtype=np.float32)
        return torch.from_numpy(values).permute(2, 0, 1).contiguous() / 127.5 - 1.0


def square(image: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side to `size` and crop the middle, as LlamaGen's training images were made.

    Halved by averaging while it is at least twice the size, then bicubic: a single bicubic step over a large
    factor would leave out pixels (ADM's preprocessing, which LlamaGen names).
    """
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = size / min(image.size)
    if scale != 1:
        wanted = (max(size, round(image.width * scale)), max(size, round(image.height * scale)))
        image = image.resize(wanted, Image.Resampling.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))
