"""The references as training images of a student: as they are, or augmented.

Both start from the squares that the teacher learns (`teacher.photos`). The augmentation is that of the
paper's baseline: mirrored or not, turned by up to 5 degrees, cropped to 0.9 to 1.0 of the side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from proxytune.student.training_images import in_epochs
from proxytune.teacher.photos import Crop, PhotoSet

MOST_DEGREES = 5.0
LEAST_SCALE = 0.9
# Of the side: what turning adds on each side, half of cos 5° + sin 5° - 1, and space for the bicubic kernel.
_MARGIN = (math.cos(math.radians(MOST_DEGREES)) + math.sin(math.radians(MOST_DEGREES)) - 1) / 2


class _References:
    """The photos, their squares and captions, for both sets.

    Args:
        folder: of the references; see `PhotoSet`.
        size: side of the square training image in pixels.
        caption: of every photo without a caption of its own.
        mirror: True when images are mirrored, with a probability of one half.
    """

    def __init__(self, folder: Path, size: int, *, caption: str, mirror: bool) -> None:
        self.size, self._mirror = size, mirror
        self._photos = PhotoSet(folder, size)
        self._captions = [own or caption for own in self._photos.captions]
        self._squares = [self._photos.crops(photo) for photo in range(len(self._photos))]

    @property
    def data(self) -> list[str]:
        """The hashes of the photos and of their captions."""
        return self._photos.identities

    @property
    def facts(self) -> dict[str, object]:
        """The hashes, as stage teach records them."""
        return {"photos": self._photos.sha256, "captions": self._photos.caption_sha256}

    def weights(self, tokens: int) -> Tensor | None:
        """Weigh all tokens alike."""
        del tokens
        return None  # noqa: RET501 - one of two results


class ReferenceSet(_References):
    """The references as they are: every square that the teacher may crop from a photo, each photo as often.

    Attributes:
        prompts: the photo's own caption, or the one for all.
    """

    def __init__(self, folder: Path, size: int, *, caption: str, mirror: bool) -> None:
        super().__init__(folder, size, caption=caption, mirror=mirror)
        sides = (False, True) if mirror else (False,)
        self._items = [
            Crop(square.photo, square.top, square.left, mirrored)
            for squares in self._squares
            for square in squares
            for mirrored in sides
        ]
        self.prompts = [self._captions[item.photo] for item in self._items]

    def __len__(self) -> int:
        return len(self._items)

    def index_at(self, position: int, seed: int) -> int:
        """Choose the next photo of the epoch, as the teacher does, and one of its squares at random."""
        photo = self._photos.photo_at(position, seed)
        own = [index for index, item in enumerate(self._items) if item.photo == photo]
        return own[int(np.random.default_rng((seed, position)).integers(len(own)))]

    def pixels(self, indices: range) -> Tensor:
        """Return images as (len(indices), 3, size, size), float32 in [-1, 1]."""
        return torch.stack([self._photos.pixels(self._items[index]) for index in indices])


@dataclass(frozen=True)
class Variation:
    """How an image is made of a photo.

    Attributes:
        square: of the photo; it is not mirrored yet.
        mirrored: True when it is.
        degrees: that it is then turned about its middle, counter-clockwise.
        scale: side of the crop, relative to the square's.
        shift: of the crop's middle from the square's, relative to the side: to the right, and down.
    """

    square: Crop
    mirrored: bool
    degrees: float
    scale: float
    shift: tuple[float, float]


class AugmentedSet(_References):
    """As many variations of the references as wanted, of each photo as many; a function of index and seed.

    Args:
        count: of the variations.
        seed: of all that is chosen.

    Attributes:
        prompts: the photo's own caption, or the one for all.
    """

    def __init__(self, folder: Path, size: int, *, caption: str, mirror: bool, count: int, seed: int) -> None:
        super().__init__(folder, size, caption=caption, mirror=mirror)
        self._count, self._seed = count, seed
        self.prompts = [self._captions[index % len(self._photos)] for index in range(count)]

    def __len__(self) -> int:
        return self._count

    def index_at(self, position: int, seed: int) -> int:
        """Return the index of the `position`-th training image: every epoch has all, in a new order."""
        return in_epochs(position, len(self), seed)

    def variation(self, index: int) -> Variation:
        """Choose how an image is made; each number is uniform."""
        rng = np.random.default_rng((self._seed, index))
        squares: Sequence[Crop] = self._squares[index % len(self._photos)]
        square, mirrored = squares[int(rng.integers(len(squares)))], bool(rng.integers(2))
        degrees, scale = rng.uniform(-MOST_DEGREES, MOST_DEGREES), rng.uniform(LEAST_SCALE, 1.0)
        right, down = rng.uniform(-1, 1, 2) * (1 - scale) / 2
        return Variation(square, mirrored and self._mirror, float(degrees), float(scale), (right, down))

    def pixels(self, indices: range) -> Tensor:
        """Return images as (len(indices), 3, size, size), float32 in [-1, 1]."""
        return torch.stack([self._one(self.variation(index)) for index in indices])

    def _one(self, how: Variation) -> Tensor:
        square = (self._photos.pixels(how.square).permute(1, 2, 0).numpy() + 1) * 127.5
        image = Image.fromarray(square.round().astype(np.uint8))
        values = np.asarray(varied(image, how), dtype=np.float32)
        return torch.from_numpy(values).permute(2, 0, 1).contiguous() / 127.5 - 1.0


def varied(square: Image.Image, how: Variation) -> Image.Image:
    """Mirror, turn and crop a square, and scale the crop to its size, in one bicubic step.

    Where turning moves the crop over the edge, the square is continued by its reflection.
    """
    size, margin = square.width, math.ceil(square.width * _MARGIN) + 2
    values = np.asarray(square)
    if how.mirrored:
        values = values[:, ::-1]
    padded = Image.fromarray(np.pad(values, ((margin, margin), (margin, margin), (0, 0)), mode="reflect"))
    middle, angle = size / 2, math.radians(how.degrees)
    along, across = how.scale * math.cos(angle), how.scale * math.sin(angle)
    right, down = (shift * size for shift in how.shift)
    # A pixel (x, y) of the result is read at the turned, scaled and shifted place relative to the middle.
    start_x = middle + margin + right * math.cos(angle) - down * math.sin(angle) - middle * (along - across)
    start_y = middle + margin + right * math.sin(angle) + down * math.cos(angle) - middle * (across + along)
    return padded.transform(
        (size, size),
        Image.Transform.AFFINE,
        (along, -across, start_x, across, along, start_y),
        Image.Resampling.BICUBIC,
    )
