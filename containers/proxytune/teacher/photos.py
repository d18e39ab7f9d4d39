"""The references as training images: square crops, sampled at every use, few enough to be cached.

They are mirrored on request only: a mirrored photo reverses text and everything that differs between left and
right, and teaches that the subject is symmetrical.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from proxytune.contract.reference_files import caption_of, photo_files
from proxytune.masks.photo_masks import PhotoMask
from proxytune.masks.weights import background_weights, loss_weights, pooled, without_background
from proxytune.teacher.conditioning import SizeAndCrop

# Crops along a photo's longer side. Latents are cached by crop, so their number bounds the cache; nine
# positions on a 3:2 photo of 1024 pixels are 64 pixels apart, eight latents. Odd, so that one is the middle.
CROP_POSITIONS = 9
# Of a masked photo only crops are used that show at least this share of what the best one shows of the
# subject: a crop beside the subject would have nothing to teach.
SUBJECT_SHOWN = 0.5


@dataclass(frozen=True)
class Crop:
    """A square of a scaled photo: the photo's index, and the corner in pixels."""

    photo: int
    top: int
    left: int
    mirrored: bool = False


class PhotoSet:
    """The references of a subject, scaled so that the shorter side is `size` pixels.

    Args:
        folder: holds the PNGs that the inspection wrote (upright, sRGB, opaque).
        size: side of the square training image in pixels.
        flips: True when crops are mirrored, with a probability of one half.
        masks: one per photo; empty where no photo has one. What is not subject is painted over: through
            the network, which attends to everything, it would still decide what is learned.

    Attributes:
        sha256: of each photo's file.
        captions: the prompt that each photo's caption became, with the token word in place; None for a photo
            without a caption.

    Raises:
        ProxytuneError: ChannelMissing when the folder has no PNG.
    """

    def __init__(
        self,
        folder: Path,
        size: int,
        *,
        flips: bool = False,
        masks: Sequence[PhotoMask] = (),
    ) -> None:
        paths = photo_files(folder)
        self.size, self._flips = size, flips
        self.sha256 = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        self.captions = [caption_of(path) for path in paths]
        self._mask_sha256 = [mask.sha256 for mask in masks]
        self._shorter_sides: list[int] = []
        self._images: list[Image.Image] = []
        self._shares: dict[int, Tensor] = {}
        for number, path in enumerate(paths):
            with Image.open(path) as opened:
                image = opened.convert("RGB")
            mask = masks[number].mask if masks else None
            if mask is not None:
                # Before it is scaled, which mixes neighbouring pixels.
                image = without_background(image, mask, number)
            self._shorter_sides.append(min(image.size))
            self._images.append(_cover(image, size))
            if mask is not None:
                width, height = self._images[number].size
                self._shares[number] = pooled(torch.from_numpy(mask), height, width)
        self._positions = [self._usable_positions(photo) for photo in range(len(paths))]

    def __len__(self) -> int:
        return len(self._images)

    @property
    def caption_sha256(self) -> list[str | None]:
        """The SHA-256 of each caption, None where there is none."""
        return [caption and hashlib.sha256(caption.encode()).hexdigest() for caption in self.captions]

    @property
    def identities(self) -> list[str]:
        """Hashes that identify the training data: of the photos, then of the captions and masks there are."""
        captions, masks = enumerate(self.caption_sha256), enumerate(self._mask_sha256)
        return [
            *self.sha256,
            *(f"caption {photo}: {sha256}" for photo, sha256 in captions if sha256),
            *(f"mask {photo}: {sha256}" for photo, sha256 in masks if sha256),
        ]

    @property
    def masked(self) -> bool:
        """True when at least one photo has a mask."""
        return bool(self._shares)

    def photo_at(self, position: int, seed: int) -> int:
        """Return the photo of a training image: every epoch has all photos, in a new order.

        Args:
            position: of the image in the training, counted from 0.
        """
        epoch, index = divmod(position, len(self))
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed + epoch))
        return int(order[index])

    def random_crop(self, photo: int, rng: torch.Generator) -> Crop:
        """Sample a crop of the photo that shows enough of the subject, each with the same probability.

        Takes one random number, and one more where it may flip.
        """
        positions = self._positions[photo]
        position = positions[int(torch.randint(len(positions), (), generator=rng))]
        mirrored = self._flips and bool(torch.randint(2, (), generator=rng))
        return self._crop(photo, position, mirrored=mirrored)

    def crops(self, photo: int) -> list[Crop]:
        """List the possible crops of a photo, each once."""
        flips = [False, True] if self._flips else [False]
        crops = (
            self._crop(photo, position, mirrored=mirrored)
            for position in self._positions[photo]
            for mirrored in flips
        )
        return list(dict.fromkeys(crops))

    def _usable_positions(self, photo: int) -> list[int]:
        """List the positions of crops that show enough of the subject; all where there is no mask."""
        positions = list(range(CROP_POSITIONS))
        if photo not in self._shares:
            return positions
        shown = [
            float(self._shown(self._crop(photo, position, mirrored=False)).sum()) for position in positions
        ]
        return [position for position in positions if shown[position] >= SUBJECT_SHOWN * max(shown)]

    def _crop(self, photo: int, position: int, *, mirrored: bool) -> Crop:
        image = self._images[photo]
        free_height, free_width = image.height - self.size, image.width - self.size
        share = position / (CROP_POSITIONS - 1)
        return Crop(photo, round(free_height * share), round(free_width * share), mirrored)

    def conditioning(self, crop: Crop) -> SizeAndCrop:
        """Return the size and crop that SDXL's network reads for a crop; `conditioning.py` says why."""
        image = self._images[crop.photo]
        original = min(self._shorter_sides[crop.photo], self.size)
        down = int(abs(crop.top - (image.height - self.size) / 2))
        across = int(abs(crop.left - (image.width - self.size) / 2))
        return SizeAndCrop((original, original), (down, across), self.size)

    def weights(self, crop: Crop, side: int) -> Tensor:
        """Compute the weights of a crop's errors on a grid of latents: (2, side, side) float32.

        The first are of the photo's own errors, with mean 1; the second of those against the untuned network,
        with mean 1 where there is a background, else 0.
        """
        if crop.photo not in self._shares:
            return torch.stack([torch.ones(side, side), torch.zeros(side, side)])
        shares = pooled(self._shown(crop), side, side)
        return torch.stack([loss_weights(shares), background_weights(shares)])

    def _shown(self, crop: Crop) -> Tensor:
        """Share of each pixel of a crop that is subject, (size, size); the photo has a mask."""
        rows, columns = (slice(start, start + self.size) for start in (crop.top, crop.left))
        shares = self._shares[crop.photo][rows, columns]
        return shares.flip(1) if crop.mirrored else shares

    def pixels(self, crop: Crop) -> Tensor:
        """Return the crop as (3, size, size), float32 in [-1, 1]."""
        box = (crop.left, crop.top, crop.left + self.size, crop.top + self.size)
        values = np.asarray(self._images[crop.photo].crop(box), dtype=np.float32)
        values = values[:, ::-1].copy() if crop.mirrored else values
        return torch.from_numpy(values).permute(2, 0, 1).contiguous() / 127.5 - 1.0


def _cover(image: Image.Image, size: int) -> Image.Image:
    """Scale an image so that its shorter side is `size`; crops then move along the longer one."""
    scale = size / min(image.width, image.height)
    width, height = max(size, round(image.width * scale)), max(size, round(image.height * scale))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def is_image(file: Path) -> bool:
    """Return True when a file can be decoded to its end."""
    try:
        with Image.open(file) as opened:
            opened.load()
    except Exception:
        # Corrupt bytes raise OSError, SyntaxError or ValueError, depending on which of them are wrong.
        return False
    return True
