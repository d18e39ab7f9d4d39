"""The measures that a verdict may rest on: similarity of constructed images to a subject's photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image

from proxytune.masks.segmenter import Segmenter
from proxytune.metrics.encoders import DinoEncoder, Vectors
from proxytune.metrics.masc import Encoded, SiglipEncoder, identity
from proxytune.metrics.scores import among_themselves, to_references

CPU = torch.device("cpu")


class Judge(Protocol):
    """A measure.

    Attributes:
        key: its name in a row of metrics.json.
    """

    key: str

    def encode(self, images: Sequence[Image.Image], category: str) -> Any:
        """Encode images that should show a subject of the category."""

    def picked(self, images: Any, places: Sequence[int]) -> Any:
        """Those of the images at some places."""

    def to_photos(self, images: Any, photos: Any) -> list[float]:
        """Score each image by all photos."""

    def among_photos(self, photos: Any) -> list[float]:
        """Score each photo by the others."""


class DinoJudge:
    """DINO of the whole image.

    Args:
        models: holds dino-miniature.
    """

    key = "dino"

    def __init__(self, models: Path) -> None:
        self._dino = DinoEncoder(models / "dino-miniature", CPU)

    def encode(self, images: Sequence[Image.Image], category: str) -> Vectors:
        """See `Judge`."""
        del category
        return self._dino.pictures(images)

    def picked(self, images: Vectors, places: Sequence[int]) -> Vectors:
        """See `Judge`."""
        return images[np.array(places)]

    def to_photos(self, images: Vectors, photos: Vectors) -> list[float]:
        """See `Judge`."""
        return to_references(images, photos)

    def among_photos(self, photos: Vectors) -> list[float]:
        """See `Judge`."""
        return among_themselves(photos)


class MascJudge:
    """MaSC of the subject's region, with the masks that a run would have: the segmenter's.

    Args:
        models: holds clipseg-miniature and siglip-miniature.
    """

    key = "masc_identity"

    def __init__(self, models: Path) -> None:
        self._siglip = SiglipEncoder(models / "siglip-miniature", CPU)
        self._segmenter = Segmenter(models / "clipseg-miniature", CPU)

    def encode(self, images: Sequence[Image.Image], category: str) -> list[Encoded]:
        """See `Judge`."""
        return self._siglip.images(images, self._segmenter.find(images, category))

    def picked(self, images: list[Encoded], places: Sequence[int]) -> list[Encoded]:
        """See `Judge`."""
        return [images[place] for place in places]

    def to_photos(self, images: list[Encoded], photos: list[Encoded]) -> list[float]:
        """See `Judge`."""
        return [_mean(image, photos) for image in images]

    def among_photos(self, photos: list[Encoded]) -> list[float]:
        """See `Judge`."""
        return [_mean(photo, [one for one in photos if one is not photo]) for photo in photos]


def _mean(image: Encoded, photos: Sequence[Encoded]) -> float:
    known = [one for one in (identity(photo, image) for photo in photos) if one is not None]
    return sum(known) / len(known)


JUDGES: Mapping[str, Any] = {"MaSC identity": MascJudge, "DINO": DinoJudge}
"""By title, those that verdicts rest on: the first where a run is measured by it."""
