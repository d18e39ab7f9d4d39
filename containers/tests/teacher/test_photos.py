import pytest
import torch
from jobs import write_photos
from PIL import Image

from proxytune.contract.errors import ProxytuneError
from proxytune.teacher.photos import CROP_POSITIONS, Crop, PhotoSet


def test_the_shorter_side_fits_and_crops_move_along_the_longer(tmp_path):
    write_photos(tmp_path, ((120, 60), (60, 120), (90, 90)))
    photos = PhotoSet(tmp_path, 30)
    rng = torch.Generator().manual_seed(1)
    for photo, free in enumerate([{"left"}, {"top"}, set()]):
        crops = {photos.random_crop(photo, rng) for _ in range(300)}
        assert len(crops) == (CROP_POSITIONS if free else 1)
        assert sorted(photos.crops(photo), key=repr) == sorted(crops, key=repr)
        for side in ("top", "left"):
            values = {getattr(crop, side) for crop in crops}
            assert (min(values), max(values)) == ((0, 30) if side in free else (0, 0))


def test_pixels_are_those_of_the_crop(tmp_path):
    picture = Image.new("RGB", (60, 30), (0, 0, 0))
    picture.paste((255, 127, 0), (30, 0, 60, 30))
    picture.save(tmp_path / "a.png")
    photos = PhotoSet(tmp_path, 30)
    right = photos.pixels(Crop(0, 0, 30))
    assert right.shape == (3, 30, 30)
    assert torch.allclose(right[:, 15, 15], torch.tensor([1.0, -1 / 255, -1.0]), atol=1e-6)
    assert torch.allclose(photos.pixels(Crop(0, 0, 0))[:, 15, 10], torch.full((3,), -1.0))


def test_every_epoch_uses_every_photo_in_another_order(tmp_path):
    write_photos(tmp_path, ((20, 20),) * 5)
    photos = PhotoSet(tmp_path, 16)
    epochs = [[photos.photo_at(5 * epoch + index, 7) for index in range(5)] for epoch in range(20)]
    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 10


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "facts.json").write_text("{}")
    with pytest.raises(ProxytuneError) as caught:
        PhotoSet(tmp_path, 16)
    assert caught.value.name == "ChannelMissing"
