"""The sizes of pictures that Lumina-mGPT knows, and which of them a picture is cropped to."""

from __future__ import annotations

from proxytune.student.families.lumina.layout import PATCH

# No picture is longer than four times its width (official code).
LARGEST_ASPECT = 4.0


def crop_sizes(size: int) -> list[tuple[int, int]]:
    """All (width, height) in pixels of the model for squares of `size`, widest first, as officially ordered.

    As many patches as the square has, or a few less: each width has the largest height that fits, each height
    the largest width.
    """
    budget = (size // PATCH) ** 2
    sizes = []
    width, height = budget, 1
    while width > 0:
        if max(width, height) / min(width, height) <= LARGEST_ASPECT:
            sizes.append((width * PATCH, height * PATCH))
        if (height + 1) * width <= budget:
            height += 1
        else:
            width -= 1
    return sizes


def best_crop(size: int, width: int, height: int) -> tuple[int, int]:
    """The (width, height) of `crop_sizes` that loses least of a picture of `width` x `height` pixels.

    For squares it is the square: so the proxies, which are squares, are learnt as the official training would
    crop them, and nothing needs to be chosen when they are encoded.

    The picture is scaled until it covers the crop; what is left of it then is the smaller of the two ratios
    of sides by the larger.
    """

    def kept(crop: tuple[int, int]) -> float:
        ratios = (crop[0] / width, crop[1] / height)
        return min(ratios) / max(ratios)

    return max(crop_sizes(size), key=kept)
