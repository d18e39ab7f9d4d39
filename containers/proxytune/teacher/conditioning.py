"""Size and crop conditioning: the six numbers that SDXL's network reads about an image, besides its prompt.

SDXL was trained on images of all sizes. For each it read the original height and width, where the image was
cut out, and the size that it was scaled to (arXiv 2307.01952, section 2.2). So it knows what enlarged and
badly cut images look like, and generates none when these numbers describe a whole one: `SizeAndCrop.whole`.
An adapter is trained with the numbers that its images are generated with:

- A photo that is large enough for the training image counts as one of exactly that size, however many pixels
  the camera had. Only a smaller photo, which is enlarged, has its true size, so that its blur is not learned
  as the subject's.
- The middle of a photo, as its photographer framed it, counts as whole. Other crops have their distance from
  there, so that subjects that are cut off are not learned as framed. The example scripts count from the
  photo's corner; the leftmost crop of a wide photo, which cuts off most, would then count as whole.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SizeAndCrop:
    """The numbers of one square image, in pixels.

    Attributes:
        original: height and width of what the image was scaled from.
        corner: distance from the middle of the photo, down and across.
        size: side of the image.
    """

    original: tuple[int, int]
    corner: tuple[int, int]
    size: int

    @classmethod
    def whole(cls, size: int) -> SizeAndCrop:
        """Describe an image of which nothing was cut off, and which was not enlarged."""
        return cls((size, size), (0, 0), size)
