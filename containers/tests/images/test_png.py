"""PNG files have the same bytes for the same image."""

import io

import numpy as np
from PIL import Image

from proxytune.images.png import encode_png


def test_an_image_survives_encoding():
    values = np.random.default_rng(1).integers(0, 255, (16, 8, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(encode_png(Image.fromarray(values)))) as opened:
        assert opened.mode == "RGB"
        assert np.array_equal(np.asarray(opened), values)


def test_png_bytes_carry_no_metadata():
    image = Image.new("RGB", (8, 8))
    image.info["comment"] = "secret"
    assert encode_png(image) == encode_png(Image.new("RGB", (8, 8)))
