"""The references as a student's training images, as they are and augmented."""

import json
import math

import numpy as np
import pytest
import torch
from learn_job import HYPERPARAMETERS, draw_proxy, make_job
from PIL import Image

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.signals import StopRequest
from proxytune.student.reference_set import AugmentedSet, ReferenceSet, Variation, varied
from proxytune.student.trainer import train
from proxytune.teacher.photos import Crop, PhotoSet

CAPTION = HYPERPARAMETERS["caption"]
OWN = "a photo of ohwx dog in the snow"


def write_photos(folder, sizes=((64, 64), (96, 64), (64, 80))):
    folder.mkdir(parents=True)
    for number, (width, height) in enumerate(sizes):
        image = draw_proxy(number, max(width, height)).crop((0, 0, width, height))
        image.save(folder / f"reference-{number:02d}.png")
    (folder / "reference-01.txt").write_text(OWN)
    return folder


@pytest.fixture
def photos(tmp_path):
    return write_photos(tmp_path / "photos")


def augmented(photos, **changes):
    return AugmentedSet(photos, 64, **{"caption": CAPTION, "mirror": True, "count": 40, "seed": 3, **changes})


def test_the_squares_are_the_teachers_under_the_photos_own_captions(photos):
    images, teacher = ReferenceSet(photos, 64, caption=CAPTION, mirror=False), PhotoSet(photos, 64)
    squares = [square for photo in range(3) for square in teacher.crops(photo)]
    assert len(squares) > 10
    wanted = torch.stack([teacher.pixels(square) for square in squares])
    assert torch.equal(images.pixels(range(len(images))), wanted)
    assert images.prompts == [OWN if square.photo == 1 else CAPTION for square in squares]
    assert images.weights(64) is None
    assert images.data == teacher.identities


def test_every_photo_is_learned_as_often_and_all_of_its_squares(photos):
    images, teacher = ReferenceSet(photos, 64, caption=CAPTION, mirror=False), PhotoSet(photos, 64)
    used = [images.index_at(position, 5) for position in range(300)]
    assert used == [images.index_at(position, 5) for position in range(300)]
    assert set(used) == set(range(len(images)))
    counts = np.cumsum([0, *(len(teacher.crops(photo)) for photo in range(3))])
    photo_of = np.searchsorted(counts, used, side="right") - 1
    assert [int((photo_of == photo).sum()) for photo in range(3)] == [100, 100, 100]
    assert used != [images.index_at(position, 6) for position in range(300)]


def test_mirrored_squares_are_there_on_request_only(photos):
    plain, flipping = (ReferenceSet(photos, 64, caption=CAPTION, mirror=mirror) for mirror in (False, True))
    assert len(flipping) == 2 * len(plain)
    assert torch.equal(flipping.pixels(range(1, 2)), flipping.pixels(range(1)).flip(-1))


def test_variations_keep_the_papers_bounds_and_fill_them(photos):
    images = augmented(photos, count=600)
    chosen = [images.variation(index) for index in range(600)]
    degrees, scales = [one.degrees for one in chosen], [one.scale for one in chosen]
    assert -5 <= min(degrees) < -4.9 < 4.9 < max(degrees) <= 5
    assert 0.9 <= min(scales) < 0.902 < 0.998 < max(scales) <= 1
    # The crop never leaves the square before it is turned.
    assert all(abs(shift) <= (1 - one.scale) / 2 for one in chosen for shift in one.shift)
    assert max(abs(shift) for one in chosen for shift in one.shift) > 0.045
    assert 250 < sum(one.mirrored for one in chosen) < 350
    assert [one.square.photo for one in chosen[:6]] == [0, 1, 2, 0, 1, 2]
    assert len({(one.square.photo, one.square.left) for one in chosen if one.square.photo == 1}) == 9
    assert not any(augmented(photos, mirror=False).variation(index).mirrored for index in range(40))


def test_an_image_is_a_function_of_its_index_and_the_seed(photos):
    images = augmented(photos)
    together = images.pixels(range(6))
    assert torch.equal(images.pixels(range(4, 6)), together[4:])
    assert torch.equal(augmented(photos, count=7).pixels(range(6)), together)
    assert not torch.equal(augmented(photos, seed=4).pixels(range(6)), together)
    assert len({image.numpy().tobytes() for image in together}) == 6
    assert images.prompts[:4] == [CAPTION, OWN, CAPTION, CAPTION]
    assert sorted(images.index_at(position, 1) for position in range(40)) == list(range(40))


@pytest.mark.parametrize("mirrored", [False, True])
def test_an_image_without_turn_and_crop_is_the_square(mirrored):
    square = draw_proxy(1)
    same = varied(square, Variation(Crop(0, 0, 0), mirrored, 0.0, 1.0, (0.0, 0.0)))
    wanted = square.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else square
    assert np.asarray(same).tobytes() == np.asarray(wanted).tobytes()


def test_a_point_goes_where_it_is_turned_scaled_and_shifted_to():
    """A bright dot, whose new place is computed by hand."""
    size, degrees, scale, shift = 200, 4.0, 0.92, (0.03, -0.02)
    values = np.zeros((size, size, 3), dtype=np.uint8)
    values[48:53, 148:153] = 255  # around (150.5, 50.5)
    given = varied(Image.fromarray(values), Variation(Crop(0, 0, 0), False, degrees, scale, shift))
    bright = np.asarray(given)[..., 0].astype(float)
    rows, columns = np.mgrid[:size, :size] + 0.5
    found = (columns * bright).sum() / bright.sum(), (rows * bright).sum() / bright.sum()
    # Turned counter-clockwise, as seen, about the middle; then relative to the crop's corner.
    x, y, angle = 150.5 - 100, 50.5 - 100, math.radians(degrees)
    turned = x * math.cos(angle) + y * math.sin(angle), -x * math.sin(angle) + y * math.cos(angle)
    wanted = [(value - by * size) / scale + size / 2 for value, by in zip(turned, shift, strict=True)]
    assert found == pytest.approx(wanted, abs=0.1)


def test_no_empty_corner_is_ever_seen():
    white = Image.new("RGB", (64, 64), (255, 255, 255))
    for degrees in (-5.0, 5.0):
        for scale, shift in ((1.0, 0.0), (0.9, -0.05), (0.9, 0.05)):
            how = Variation(Crop(0, 0, 0), False, degrees, scale, (shift, shift))
            assert np.asarray(varied(white, how)).min() == 255


@pytest.mark.parametrize("source", ["references", "augmented"])
def test_a_job_learns_the_references(tmp_path, tiny_student, source):
    given = {**HYPERPARAMETERS, "steps": 2, "checkpoint_every": 2, "proxies": 10, "trains_on": source}
    folders = make_job(tmp_path / "ml", tiny_student, given)
    # Without any channel of proxies.
    (folders.base / "input" / "data" / "proxies").rename(tmp_path / "elsewhere")
    channel = write_photos(folders.base / "input" / "data" / "references")
    train(folders, given, StopRequest())
    facts = json.loads((folders.model / "adapter.json").read_text())
    assert facts["photos"] == PhotoSet(channel, 64).sha256
    assert facts["trains_on"] == source
    assert "proxies_sha256" not in facts


def test_settings_of_proxies_are_refused_with_references(job):
    folders, given = job(trains_on="references", background_weight=0.5)
    write_photos(folders.base / "input" / "data" / "references")
    with pytest.raises(ProxytuneError, match="background_weight") as refused:
        train(folders, given, StopRequest())
    assert refused.value.name == "HyperparameterInvalid"
