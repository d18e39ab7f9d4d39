"""Every option of a job changes its adapter: otherwise the trainer ignored it."""

import json
import tarfile

import pytest
import torch
from jobs import write_teach_job
from PIL import Image
from safetensors.torch import load_file
from teaching import STRONG, teach

from proxytune.contract import schema
from proxytune.teacher.lora_file import WEIGHTS_FILE
from proxytune.teacher.photos import CROP_POSITIONS, Crop, PhotoSet

MODEL = "sdxl-tiny"
PRIOR = {"prompt": "a photo of dog", "pictures": 2, "weight": 0.5, "steps": 1, "guidance": 3.0}
# Their own tests are in test_validation.py and test_masked_teacher.py; the licence is only metadata.
ELSEWHERE = {"validation_images", "validation_prompts", "mask_prompt", "licence"}


def preserving(colour, **changes):
    """A job with the class images of another run, all of one colour."""
    return {"class": colour, "class_images": json.dumps({**PRIOR, **changes})}


OPTIONS = {
    "none": {},
    "adapted": {"adapted": "all"},
    "bits": {"bits": "8"},
    "flips": {"flips": "true"},
    "snr_gamma": {"snr_gamma": "1"},
    "class_images": preserving("red"),
    "class images: others": preserving("blue"),
    "class images: another weight": preserving("red", weight=1.0),
    "class images: another prompt": preserving("red", prompt="a photo of cat"),
}


def write_class(channel, colour):
    """The channel `class`, as another run's last stage left it."""
    channel.mkdir()
    with tarfile.open(channel / "images.tar", "w") as archive:
        for number in range(PRIOR["pictures"]):
            file = channel / f"{number:04d}.png"
            Image.new("RGB", (64, 64), colour).save(file)
            archive.add(file, file.name)


@pytest.fixture(scope="module")
def adapters(tiny_model, tmp_path_factory):
    """The adapter of each job."""
    base, folder, made = tiny_model(MODEL), tmp_path_factory.mktemp("options"), {}
    for name, given in OPTIONS.items():
        changes = {**STRONG, "steps": "2", **given}
        colour, job = changes.pop("class", None), folder / name
        write_teach_job(job, base, **changes)
        if colour is not None:
            write_class(job / "input" / "data" / "class-images", colour)
        made[name] = load_file(teach(job, MODEL, base) / WEIGHTS_FILE)
    return made


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_job_without_options_is_repeated_bit_for_bit(adapters, tiny_model, tmp_path):
    again = load_file(teach(tmp_path / "again", MODEL, tiny_model(MODEL), steps="2") / WEIGHTS_FILE)
    assert same(again, adapters["none"])


@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "none"])
def test_an_option_of_the_job_changes_its_adapter(adapters, name):
    assert [other for other in OPTIONS if same(adapters[other], adapters[name])] == [name]


def test_every_option_of_the_schema_is_tried():
    known = schema.branch(schema.load("hyperparameters"), "stage", "teach")
    optional = set(known["properties"]) - set(known["required"])
    assert optional == ELSEWHERE | {name for name in OPTIONS if name in optional}


def test_crops_are_mirrored_only_on_request_and_then_half_of_them(tmp_path):
    picture = Image.new("RGB", (40, 20), (0, 0, 0))
    picture.paste((255, 255, 255), (0, 0, 5, 20))
    picture.save(tmp_path / "a.png")
    plain, flipping = PhotoSet(tmp_path, 20), PhotoSet(tmp_path, 20, flips=True)
    crops = [
        [photos.random_crop(0, rng).mirrored for _ in range(400)]
        for photos, rng in ((each, torch.Generator().manual_seed(1)) for each in (plain, flipping))
    ]
    assert sum(crops[0]) == 0
    assert 160 < sum(crops[1]) < 240
    assert [len(each.crops(0)) for each in (plain, flipping)] == [CROP_POSITIONS, 2 * CROP_POSITIONS]
    straight, mirrored = (flipping.pixels(Crop(0, 0, 0, flip)) for flip in (False, True))
    assert torch.equal(mirrored, straight.flip(-1))
    assert not torch.equal(mirrored, straight)
