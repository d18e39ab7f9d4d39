"""Prior preservation: the class's pictures are drawn once, and trained on beside the subject."""

import gc
import json

import pytest
import torch
from held import left_over, living
from jobs import TEACH
from teaching import CPU, MODELS, photo_set, prepared

from proxytune.contract import hyperparameters
from proxytune.contract.folders import Folders
from proxytune.teacher import class_images
from proxytune.teacher.config import Prior
from proxytune.teacher.families import registry

PRIOR = {"prompt": "a photo of dog", "pictures": 3, "weight": 0.5, "steps": 2, "guidance": 3.0}


def settings(**changes):
    return hyperparameters.parse({**TEACH, "prior": json.dumps({**PRIOR, **changes})})


def contents(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.png"))}


def job(base, shared=None):
    """A job's folders, with the class's pictures of another run or without."""
    (base / "input" / "data").mkdir(parents=True)
    if shared is not None:
        (base / "input" / "data" / "class").symlink_to(shared)
    return Folders(base)


def no_maker(monkeypatch):
    monkeypatch.setattr(registry, "picture_maker", None)


def test_pictures_are_drawn_once_and_an_attempt_that_was_cut_off_is_gone_on_with(
    tiny_model, tmp_path, monkeypatch, capsys
):
    base, first = tiny_model("sdxl-tiny"), job(tmp_path / "first")
    drawn = contents(class_images.class_pictures(base, settings(), first, CPU))
    assert list(drawn) == ["0000.png", "0001.png", "0002.png"]
    assert len(set(drawn.values())) == 3
    capsys.readouterr()
    # Another job was cut off after the second of three.
    half = job(tmp_path / "half")
    begun = half.checkpoints / "prior" / "drawn"
    begun.mkdir(parents=True)
    for name in ("0000.png", "0001.png"):
        (begun / name).write_bytes(drawn[name])
    # The mirror may bring one back in part.
    (begun / "0002.png").write_bytes(drawn["0002.png"][:40])
    assert contents(class_images.class_pictures(base, settings(), half, CPU)) == drawn
    assert capsys.readouterr().out.count("class pictures: ") == 1
    # All there: no model is even loaded, and beside the checkpoints is one file only.
    no_maker(monkeypatch)
    assert contents(class_images.class_pictures(tmp_path / "no model", settings(), first, CPU)) == drawn
    assert [path.name for path in (first.checkpoints / "prior").iterdir()] == ["pictures.tar"]


def test_another_runs_pictures_are_taken_and_the_same_ones_make_the_same_file(
    tiny_model, tmp_path, monkeypatch
):
    base, first = tiny_model("sdxl-tiny"), job(tmp_path / "first")
    drawn = contents(class_images.class_pictures(base, settings(), first, CPU))
    archive = (first.checkpoints / "prior" / "pictures.tar").read_bytes()
    again = job(tmp_path / "again")
    class_images.class_pictures(base, settings(), again, CPU)
    assert (again.checkpoints / "prior" / "pictures.tar").read_bytes() == archive
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "pictures.tar").write_bytes(archive)
    no_maker(monkeypatch)
    second = job(tmp_path / "second", shared)
    assert contents(class_images.class_pictures(tmp_path / "no model", settings(), second, CPU)) == drawn
    # Nothing of it is mirrored into this run.
    assert not (second.checkpoints / "prior").exists()


@pytest.mark.parametrize("model", MODELS)
def test_the_model_that_drew_them_is_gone_before_the_same_one_is_loaded_to_be_trained(
    tiny_model, tmp_path, model
):
    asked = {**settings(pictures=1, steps=1), "family": MODELS[model]}
    base, before = tiny_model(model), living()
    # A card may have no room for both until Python looks for what only holds itself.
    gc.disable()
    try:
        class_images.class_pictures(base, asked, job(tmp_path / "job"), CPU)
        assert left_over(before, [], collect=False) == set()
    finally:
        gc.enable()


@pytest.mark.parametrize("damage", ["cut off", "too few", "no archive", "spoilt"])
def test_pictures_that_are_not_whole_are_drawn_anew(tiny_model, tmp_path, damage):
    base, shared = tiny_model("sdxl-tiny"), tmp_path / "shared"
    first = job(tmp_path / "first")
    drawn = contents(class_images.class_pictures(base, settings(pictures=2), first, CPU))
    archive = (first.checkpoints / "prior" / "pictures.tar").read_bytes()
    # Of the right length and in the right place, but no picture any more.
    spoilt = archive.replace(drawn["0001.png"], bytes(len(drawn["0001.png"])))
    shared.mkdir()
    (shared / "pictures.tar").write_bytes(
        {"cut off": archive[:3000], "too few": archive, "no archive": b"no tar", "spoilt": spoilt}[damage]
    )
    wanted = 3 if damage == "too few" else 2
    second = job(tmp_path / "second", shared)
    found = contents(class_images.class_pictures(base, settings(pictures=wanted), second, CPU))
    assert len(found) == wanted
    assert {name: found[name] for name in drawn} == drawn


def test_the_loss_is_the_subjects_and_its_share_of_the_classs(tiny_model, tmp_path):
    base, photos = tiny_model("sdxl-tiny"), photo_set(tmp_path / "photos")
    pictures = photo_set(tmp_path / "class")

    def loss(weight, step=0):
        preserved = Prior("a photo of dog", pictures, weight)
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
