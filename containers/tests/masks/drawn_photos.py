"""The real segmenter of the drawn world, counting its images, and photos in which it finds a fish."""

from pathlib import Path

import torch
from PIL import Image

from dev.drawn_subjects.subjects import subject_named
from proxytune.masks.segmenter import Segmenter

MODEL = Path(__file__).parents[2] / "models" / "miniature" / "clipseg-miniature"
FISH = "a fish"


class CountingSegmenter(Segmenter):
    """The segmenter; `images` counts those that it was given."""

    def __init__(self) -> None:
        super().__init__(MODEL, torch.device("cpu"))
        self.images = 0

    def find(self, images, prompt, **options):
        self.images += len(images)
        return super().find(images, prompt, **options)


def fishes() -> list[Image.Image]:
    return _photos("held-back-fish")


def robot() -> Image.Image:
    """Shows no fish."""
    return _photos("held-back-robot")[0]


def _photos(subject: str) -> list[Image.Image]:
    return [Image.fromarray(one.pixels) for one in subject_named(subject).references()]
