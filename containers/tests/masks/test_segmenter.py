"""The segmenter on images whose true masks are known: those of the drawn world."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dev.drawn_subjects.subjects import subject_named
from proxytune.contract.errors import ProxytuneError
from proxytune.masks.segmenter import Segmenter

MODEL = Path(__file__).parents[2] / "models" / "miniature" / "clipseg-miniature"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter(MODEL, CPU)


@pytest.fixture(scope="module")
def drawn():
    """References of a subject that the segmenter was not trained on: images, and their true masks."""
    pictures = subject_named("held-back-fish").references()
    return [Image.fromarray(one.pixels) for one in pictures], [one.mask >= 128 for one in pictures]


def overlap(found, true):
    return (found & true).sum() / (found | true).sum()


def test_the_subject_is_found_in_its_photos(segmenter, drawn):
    images, true = drawn
    found = segmenter.find(images, "a fish")
    assert [mask.shape for mask in found] == [(image.height, image.width) for image in images]
    assert np.mean([overlap(*pair) for pair in zip(found, true, strict=True)]) > 0.8


def test_what_is_not_there_is_not_found(segmenter, drawn):
    found = segmenter.find(drawn[0], "a car")
    assert np.mean([mask.mean() for mask in found]) < 0.05


def test_a_mask_depends_on_its_own_image_alone(segmenter, drawn):
    together = segmenter.find(drawn[0], "a fish", batch_size=3)
    for image, mask in zip(drawn[0], together, strict=True):
        assert np.array_equal(segmenter.find([image], "a fish")[0], mask)


def test_masks_have_the_size_that_is_wanted(segmenter, drawn):
    wide = drawn[0][0].resize((64, 32))
    (own,), (square,) = segmenter.find([wide], "a fish"), segmenter.find([wide], "a fish", side=96)
    assert (own.shape, square.shape) == ((32, 64), (96, 96))


def test_the_tiny_model_masks_some_of_an_image(tiny_model):
    noise = np.random.default_rng(1).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    (mask,) = Segmenter(tiny_model("clipseg-tiny"), CPU).find([Image.fromarray(noise)], "a dog")
    assert 0.1 < mask.mean() < 0.9


def test_a_folder_without_weights_is_refused(tmp_path):
    shutil.copytree(MODEL, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(ProxytuneError) as refused:
        Segmenter(tmp_path / "model", CPU)
    assert refused.value.name == "ChannelMissing"
