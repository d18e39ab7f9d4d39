"""Prior preservation: class images are generated once, and trained on together with the subject."""

import gc
import json

import pytest
import torch
from jobs import TEACH
from memory_use import left_over, living
from teaching import CPU, MODELS, photo_set, prepared

from proxytune.contract import hyperparameters
from proxytune.contract.folders import Folders
from proxytune.teacher import class_images
from proxytune.teacher.config import ClassImages
from proxytune.teacher.families import registry

PRIOR = {"prompt": "a photo of dog", "pictures": 3, "weight": 0.5, "steps": 2, "guidance": 3.0}


def settings(**changes):
    return hyperparameters.parse({**TEACH, "class_images": json.dumps({**PRIOR, **changes})})


def contents(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.png"))}


def job(base, shared=None):
    """A job's folders, with the class images of another run or without."""
    (base / "input" / "data").mkdir(parents=True)
    if shared is not None:
        (base / "input" / "data" / "class-images").symlink_to(shared)
    return Folders(base)


def no_generator(monkeypatch):
    monkeypatch.setattr(registry, "image_generator", None)


def prepare(base, hyperparameters, folders):
    """Prepare the class images of a job; returns their folder."""
    target = folders.base / "class-images"
    class_images.prepare_class_images(base, hyperparameters, folders, target, CPU)
    return target


def test_images_are_generated_once_and_an_interrupted_attempt_is_resumed(
    tiny_model, tmp_path, monkeypatch, capsys
):
    base, first = tiny_model("sdxl-tiny"), job(tmp_path / "first")
    drawn = contents(prepare(base, settings(), first))
    assert list(drawn) == ["0000.png", "0001.png", "0002.png"]
    assert len(set(drawn.values())) == 3
    capsys.readouterr()
    # Another job was interrupted after the second of three.
    half = job(tmp_path / "half")
    begun = half.checkpoints / "class-images" / "images"
    begun.mkdir(parents=True)
    for name in ("0000.png", "0001.png"):
        (begun / name).write_bytes(drawn[name])
    # The mirror may restore one incomplete.
    (begun / "0002.png").write_bytes(drawn["0002.png"][:40])
    assert contents(prepare(base, settings(), half)) == drawn
    assert capsys.readouterr().out.count("class images: ") == 1
    # Complete: no model is even loaded, and only one file is next to the checkpoints.
    no_generator(monkeypatch)
    assert contents(prepare(tmp_path / "no model", settings(), first)) == drawn
    assert [path.name for path in (first.checkpoints / "class-images").iterdir()] == ["images.tar"]


def test_the_images_of_another_run_are_used_and_equal_images_give_equal_archives(
    tiny_model, tmp_path, monkeypatch
):
    base, first = tiny_model("sdxl-tiny"), job(tmp_path / "first")
    drawn = contents(prepare(base, settings(), first))
    archive = (first.checkpoints / "class-images" / "images.tar").read_bytes()
    again = job(tmp_path / "again")
    prepare(base, settings(), again)
    assert (again.checkpoints / "class-images" / "images.tar").read_bytes() == archive
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "images.tar").write_bytes(archive)
    no_generator(monkeypatch)
    second = job(tmp_path / "second", shared)
    assert contents(prepare(tmp_path / "no model", settings(), second)) == drawn
    # Nothing of it is mirrored into this run.
    assert not (second.checkpoints / "class-images").exists()


@pytest.mark.parametrize("model", MODELS)
def test_the_generator_is_freed_before_the_same_model_is_loaded_for_training(tiny_model, tmp_path, model):
    given = {**settings(pictures=1, steps=1), "family": MODELS[model]}
    base, before = tiny_model(model), living()
    # A GPU may not have the memory for both until Python collects reference cycles.
    gc.disable()
    try:
        prepare(base, given, job(tmp_path / "job"))
        assert left_over(before, [], collect=False) == set()
    finally:
        gc.enable()


@pytest.mark.parametrize("damage", ["cut off", "too few", "no archive", "corrupt"])
def test_incomplete_images_are_generated_again(tiny_model, tmp_path, damage):
    base, shared = tiny_model("sdxl-tiny"), tmp_path / "shared"
    first = job(tmp_path / "first")
    drawn = contents(prepare(base, settings(pictures=2), first))
    archive = (first.checkpoints / "class-images" / "images.tar").read_bytes()
    # Of the right length and in the right place, but not an image any more.
    corrupt = archive.replace(drawn["0001.png"], bytes(len(drawn["0001.png"])))
    shared.mkdir()
    (shared / "images.tar").write_bytes(
        {"cut off": archive[:3000], "too few": archive, "no archive": b"no tar", "corrupt": corrupt}[damage]
    )
    count = 3 if damage == "too few" else 2
    second = job(tmp_path / "second", shared)
    prepared_again = contents(prepare(base, settings(pictures=count), second))
    assert len(prepared_again) == count
    assert {name: prepared_again[name] for name in drawn} == drawn


def test_the_loss_is_the_subjects_and_the_weighted_one_of_the_class_images(tiny_model, tmp_path):
    base, photos = tiny_model("sdxl-tiny"), photo_set(tmp_path / "photos")
    pictures = photo_set(tmp_path / "class")

    def loss(weight, step=0):
        images = ClassImages("a photo of dog", pictures, weight)
        trainer = prepared(base, photos, class_images=images)
        return float(trainer.loss(step, torch.Generator().manual_seed(1)))

    with torch.no_grad():
        none, half, full = loss(0.0), loss(0.5), loss(1.0)
    # The random numbers are the same: the class images' part grows with its weight, the subject's stays.
    assert 0 < none < half < full
    assert half - none == pytest.approx((full - none) / 2, rel=1e-4)


def test_settings_of_class_images_with_a_missing_field_are_refused():
    from proxytune.contract.errors import ProxytuneError

    with pytest.raises(ProxytuneError, match="class_images"):
        hyperparameters.parse({**TEACH, "class_images": json.dumps({"prompt": "a dog"})})
    assert settings()["class_images"]["weight"] == 0.5
