"""Proxies as training images."""

import numpy as np
import pytest
import torch
from learn_job import CAPTION, draw_proxy, write_shard
from PIL import Image

from proxytune.contract.errors import ProxytuneError
from proxytune.images.dataset import read_proxies
from proxytune.student.proxy_set import ProxySet, square


@pytest.fixture
def pictures(tmp_path):
    write_shard(tmp_path / "0.json.out", range(5))
    return read_proxies(tmp_path, 5)


def test_every_epoch_has_all_images_in_another_order(pictures):
    proxies = ProxySet(pictures, 64)
    epochs = [[proxies.index_at(slot, 3) for slot in range(e * 5, e * 5 + 5)] for e in range(4)]
    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert epochs[0] == [ProxySet(pictures, 64).index_at(slot, 3) for slot in range(5)]


def test_images_of_the_right_size_do_not_change(pictures):
    pixels = ProxySet(pictures, 64).pixels(range(1, 3))
    assert pixels.shape == (2, 3, 64, 64)
    grey = ((pixels[1] + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.array_equal(grey, np.asarray(draw_proxy(2)))


def test_larger_images_are_halved_by_averaging():
    # Noise, on which every other filter gives something else.
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    means = noise.reshape(64, 4, 64, 4, 3).astype(np.float64).mean(axis=(1, 3))
    # Pillow rounds after each direction of each halving: four times at most half a grey level.
    assert np.abs(np.asarray(square(Image.fromarray(noise), 64)) - means).max() <= 2


def test_the_rest_is_scaled_bicubically():
    # Of little contrast: Pillow would cut off what overshoots between its two directions.
    noise = np.random.default_rng(0).integers(100, 156, (96, 150, 3), dtype=np.uint8)
    pixels = torch.from_numpy(noise).permute(2, 0, 1)[None].float()
    # torch's own, of the same curve as Pillow's; the nearest pixel or a straight line are 10 and more away.
    scaled = torch.nn.functional.interpolate(pixels, size=(64, 100), mode="bicubic", antialias=True)
    expected = scaled[0, :, :, 18:82].permute(1, 2, 0).numpy()
    assert np.abs(np.asarray(square(Image.fromarray(noise), 64)) - expected).max() <= 1


def test_oblong_images_lose_their_ends():
    picture = Image.new("RGB", (96, 64), "red")
    picture.paste("blue", (16, 0, 80, 64))
    assert square(picture, 64).getcolors() == [(64 * 64, (0, 0, 255))]
    assert square(picture, 48).size == (48, 48)


def test_smaller_images_are_refused(pictures):
    with pytest.raises(ProxytuneError, match="64 x 64 pixels") as refused:
        ProxySet(pictures, 128).pixels(range(1))
    assert refused.value.name == "ModelMismatch"


def test_the_digest_names_the_set(pictures):
    assert ProxySet(pictures, 64).digest == ProxySet(pictures, 32).digest
    assert ProxySet(pictures, 64).digest != ProxySet(pictures[:4], 64).digest


def test_every_image_has_its_own_prompt(tmp_path):
    write_shard(tmp_path / "0.json.out", [0, 2])
    write_shard(tmp_path / "1.json.out", [1], prompt="ohwx dog in the snow")
    proxies = ProxySet(read_proxies(tmp_path, 3), 64)
    assert proxies.prompts == [CAPTION, "ohwx dog in the snow", CAPTION]
    assert proxies.data == [*proxies.sha256, *proxies.prompts]
