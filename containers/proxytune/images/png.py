"""PNG files: the same bytes for the same image."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

# Fixed, so that an image's bytes do not depend on Pillow's default.
COMPRESSION = 6


def encode_png(image: Image.Image) -> bytes:
    """Encode an image as RGB, without any metadata; equal images give equal bytes."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG", compress_level=COMPRESSION)
    return buffer.getvalue()
