"""Prior preservation: the class's pictures are drawn once, and trained on beside the subject."""

import json

import pytest
import torch
from jobs import TEACH
from PIL import Image
from teaching import CPU, photo_set, prepared

from proxytune.contract import hyperparameters
from proxytune.teacher import families, prior

PRIOR = {"prompt": "a photo of dog", "pictures": 3, "weight": 0.5, "steps": 2, "guidance": 3.0}


def settings(**changes):
    return hyperparameters.parse({**TEACH, "prior": json.dumps({**PRIOR, **changes})})


def contents(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.png"))}


def test_pictures_are_drawn_once_and_what_was_cut_off_is_drawn_again(tiny_model, tmp_path, monkeypatch):
    base = tiny_model("sdxl-tiny")
    folder = prior.class_pictures(base, settings(), tmp_path, CPU)
    first = contents(folder)
    assert list(first) == ["0000.png", "0001.png", "0002.png"]
    assert len(set(first.values())) == 3
    assert Image.open(folder / "0000.png").size == (64, 64)
    (folder / "0001.png").unlink()
    assert contents(prior.class_pictures(base, settings(), tmp_path, CPU)) == first
    # All there: no model is even loaded.
    monkeypatch.setattr(families, "picture_maker", None)
    assert prior.class_pictures(tmp_path / "no model", settings(pictures=2), tmp_path, CPU) == folder
    with pytest.raises(TypeError):
        prior.class_pictures(base, settings(prompt="a photo of cat"), tmp_path, CPU)


def test_the_loss_is_the_subjects_and_its_share_of_the_classs(tiny_model, tmp_path):
    base, photos = tiny_model("sdxl-tiny"), photo_set(tmp_path / "photos")
    pictures = photo_set(tmp_path / "class")

    def loss(weight, step=0):
        preserved = families.Prior("a photo of dog", pictures, weight)
        return float(prepared(base, photos, prior=preserved).loss(step, torch.Generator().manual_seed(1)))

    with torch.no_grad():
        none, half, whole = loss(0.0), loss(0.5), loss(1.0)
    # The same draws: the class's part grows with its weight, the subject's stays.
    assert 0 < none < half < whole
    assert half - none == pytest.approx((whole - none) / 2, rel=1e-4)


def test_a_schema_that_lacks_a_part_of_it_refuses():
    from proxytune.contract.errors import ProxytuneError

    with pytest.raises(ProxytuneError, match="prior"):
        hyperparameters.parse({**TEACH, "prior": json.dumps({"prompt": "a dog"})})
    assert settings()["prior"]["weight"] == 0.5
