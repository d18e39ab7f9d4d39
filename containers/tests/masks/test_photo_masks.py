"""Masks of photos: given ones, found ones, and what becomes of photos without one."""

import json
from pathlib import Path

import numpy as np
import pytest
from drawn_photos import FISH, CountingSegmenter, fishes, robot
from PIL import Image

from proxytune.contract.errors import ProxytuneError
from proxytune.masks.photo_masks import describe, prepare_photo_masks, read_photo_masks

SIZE = (32, 32)


def _left(size, share):
    mask = np.zeros((size[1], size[0]), dtype=bool)
    mask[:, : round(share * size[0])] = True
    return mask


def write_mask(photos: Path, number: int, mask) -> None:
    image = Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0)))
    image.save(photos / f"{number:03d}.mask", "PNG")


def write_photos(folder: Path, images) -> Path:
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        image.save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture
def photos(tmp_path):
    """Two photos of a fish, and one of a robot."""
    return write_photos(tmp_path / "photos", [*fishes()[:2], robot()])


@pytest.fixture
def finder():
    return CountingSegmenter()


def prepare(photos, finder=None, prompt=FISH):
    wanted = None if finder is None else prompt
    prepare_photo_masks(photos, wanted, lambda: finder, photos.parent / "stored")
    return read_photo_masks(photos.parent / "stored")


def test_given_masks_come_first_and_the_others_are_found(photos, tmp_path, finder):
    write_mask(photos, 1, _left(SIZE, 0.5))
    masks = prepare(photos, finder)
    assert [mask.source for mask in masks] == ["found", "file", "none"]
    assert finder.images == 2
    assert np.array_equal(masks[0].mask, finder.find(fishes()[:1], FISH)[0])
    assert np.array_equal(masks[1].mask, _left(SIZE, 0.5))
    assert [mask.share for mask in masks] == [pytest.approx(float(masks[0].mask.mean()), abs=1e-6), 0.5, 1.0]
    assert describe(masks)[1] == "photo 1: given mask, subject 50%"


def test_without_a_segmenter_only_photos_with_a_file_are_masked(photos, tmp_path):
    write_mask(photos, 0, _left(SIZE, 0.5))
    masks = prepare(photos)
    assert [mask.mask is None for mask in masks] == [False, True, True]


def test_a_photo_in_which_nothing_is_found_counts_as_a_whole(photos, finder):
    masks = prepare(photos, finder, prompt="a car")
    assert [(mask.mask, mask.source, mask.share) for mask in masks] == [(None, "none", 1.0)] * 3
    assert all(line.startswith("warning: ") for line in describe(masks))


def test_a_second_attempt_finds_nothing_again(photos, tmp_path, finder):
    first = prepare(photos, finder)
    assert finder.images == 3
    assert [mask.sha256 for mask in prepare(photos, finder)] == [mask.sha256 for mask in first]
    assert finder.images == 3
    # A mask that was restored incomplete is not trusted.
    (tmp_path / "stored" / "001.png").write_bytes(b"half")
    assert [mask.sha256 for mask in prepare(photos, finder)] == [mask.sha256 for mask in first]
    assert finder.images == 6
    # Nor are those of another photo.
    write_photos(photos, [robot()])
    assert [mask.source for mask in prepare(photos, finder)] == ["none", "found", "none"]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (_left((32, 48), 0.5), "another size"),
        (_left(SIZE, 0.0), "all black"),
        (_left(SIZE, 1.0), "all white"),
        (None, "cannot be opened"),
    ],
)
def test_a_bad_mask_is_refused_by_name(photos, tmp_path, mask, message):
    if mask is None:
        (photos / "000.mask").write_bytes(b"no image")
    else:
        write_mask(photos, 0, mask)
    with pytest.raises(ProxytuneError, match=message) as refused:
        prepare(photos)
    assert refused.value.name == "MaskInvalid"
    assert "000.mask" in str(refused.value)


def test_the_record_says_where_each_mask_comes_from(photos, tmp_path, finder):
    write_mask(photos, 0, _left(SIZE, 0.5))
    prepare(photos, finder, prompt="a car")
    record = json.loads((tmp_path / "stored" / "masks.json").read_text())
    assert [(entry["file"], entry["source"], entry["share"]) for entry in record["masks"]] == [
        ("000.png", "file", 0.5),
        ("001.png", "none", 1.0),
        ("002.png", "none", 1.0),
    ]
