"""The references as training pictures: square crops, drawn anew for every use, few enough to be cached.

They are mirrored only when asked for: a mirrored photo spoils writing and whatever differs between left and
right, and teaches that the subject is symmetrical.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from proxytune.contract.errors import ProxytuneError

# Crops along a photo's longer side. The picture's latents are cached by crop, so their number bounds the
# cache; eight positions on a 3:2 photo of 1024 pixels are 73 pixels apart, less than ten latents.
CROP_POSITIONS = 8


@dataclass(frozen=True)
class Crop:
    """A square of a photo that was scaled to cover it: which photo, and the corner in pixels."""

    photo: int
    top: int
    left: int
    mirrored: bool = False


class PhotoSet:
    """The references of a subject, scaled so that the shorter side is `size` pixels.

    Args:
        folder: holds the PNGs that the inspection wrote (upright, sRGB, opaque).
        size: side of the square training picture in pixels.
        flips: whether crops are mirrored, each as likely as not.

    Raises:
        ProxytuneError: ChannelMissing when the folder holds no PNG.
    """

    def __init__(self, folder: Path, size: int, *, flips: bool = False) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".png")
        if not paths:
            raise ProxytuneError(
                "ChannelMissing",
                what="The channel of references holds no PNG",
                given=str(folder),
                remedy="let the inspection write the references again",
            )
        self.size, self._flips = size, flips
        self.sha256 = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        self.original_sizes: list[tuple[int, int]] = []
        self._pictures: list[Image.Image] = []
        for path in paths:
            with Image.open(path) as opened:
                picture = opened.convert("RGB")
            self.original_sizes.append((picture.height, picture.width))
            self._pictures.append(_cover(picture, size))

    def __len__(self) -> int:
        return len(self._pictures)

    def photo_of(self, slot: int, seed: int) -> int:
        """The photo of the `slot`-th training picture: every epoch has all photos, in a fresh order."""
        epoch, place = divmod(slot, len(self))
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed + epoch))
        return int(order[place])

    def draw_crop(self, photo: int, draws: torch.Generator) -> Crop:
        """One of the photo's crops, each as likely; always takes one draw, and one more where it may flip."""
        position = int(torch.randint(CROP_POSITIONS, (), generator=draws))
        mirrored = self._flips and bool(torch.randint(2, (), generator=draws))
        return self._crop(photo, position, mirrored=mirrored)

    def crops(self, photo: int) -> list[Crop]:
        """All that `draw_crop` can give of a photo, each once."""
        ways = [False, True] if self._flips else [False]
        crops = (
            self._crop(photo, position, mirrored=mirrored)
            for position in range(CROP_POSITIONS)
            for mirrored in ways
        )
        return list(dict.fromkeys(crops))

    def _crop(self, photo: int, position: int, *, mirrored: bool) -> Crop:
        picture = self._pictures[photo]
        free_height, free_width = picture.height - self.size, picture.width - self.size
        share = position / (CROP_POSITIONS - 1)
        return Crop(photo, round(free_height * share), round(free_width * share), mirrored)

    def pixels(self, crop: Crop) -> Tensor:
        """The crop as (3, size, size), float32 in [-1, 1]."""
        box = (crop.left, crop.top, crop.left + self.size, crop.top + self.size)
        values = np.asarray(self._pictures[crop.photo].crop(box), dtype=np.float32)
        values = values[:, ::-1].copy() if crop.mirrored else values
        return torch.from_numpy(values).permute(2, 0, 1).contiguous() / 127.5 - 1.0


def _cover(picture: Image.Image, size: int) -> Image.Image:
    """Scale so that the shorter side is `size`; one of the sides then has no free play left."""
    scale = size / min(picture.width, picture.height)
    width, height = max(size, round(picture.width * scale)), max(size, round(picture.height * scale))
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def is_picture(file: Path) -> bool:
    """Whether a file can be decoded to its end."""
    try:
        with Image.open(file) as opened:
            opened.load()
    except Exception:
        # Spoilt bytes end in OSError, SyntaxError or ValueError, depending on which of them are wrong.
        return False
    return True
