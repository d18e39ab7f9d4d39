"""A network reads the same size and crop in training, validation and generation.

planned_sizes.json has the sizes that plans give the jobs of every pair and preset; test/core/one-size.test.ts
compares them. The tiny models get an eighth of them, as their tables of positions end at 256 pixels.
"""

import functools
import json
import math
from pathlib import Path

import pytest
import torch
from jobs import write_photos, write_teach_job
from PIL import Image
from teaching import MODELS, chunk, family_of, loaded

from proxytune.contract import hyperparameters
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.teacher.conditioning import SizeAndCrop
from proxytune.teacher.photos import CROP_POSITIONS, Crop, PhotoSet
from proxytune.teacher.trainer import train

PLANNED = json.loads((Path(__file__).parent / "planned_sizes.json").read_text("utf-8"))
EIGHTH = 8
# Pixels along one side of a latent, and of one of FLUX's tokens.
STRIDE, TOKEN = 8, 16
IMAGES = {"subject": "ohwx dog", "pictures": 2, "steps": 2, "guidance": 3.0}
VALIDATION = {
    "validation_images": json.dumps({**IMAGES, "keep_prompt": 0.5, "keep_diversity": 0.1}),
    "validation_prompts": json.dumps(["a {s}", "a {s} on a park bench"]),
}
CLASS = {"prompt": "a dog", "pictures": 2, "weight": 1, "steps": 2, "guidance": 3.0}


def cases():
    """List each tiny teacher with each size that a plan gives the full-size one."""
    for teacher, students in PLANNED.items():
        sizes = {size for presets in students.values() for size in presets.values()}
        tiny = f"{teacher}-tiny"
        yield from ((tiny, size // EIGHTH) for size in sorted(sizes) if tiny in MODELS)


@pytest.fixture
def calls(monkeypatch, request):
    """Every call of a family's network: (with gradient, side of the image, SDXL's numbers or None)."""
    network, seen = family_of(request.node.callspec.params["model"]).network_class(), set()
    forward = network.forward

    @functools.wraps(forward)
    def recorded(self, *args, **kwargs):
        latents = args[0] if args else kwargs["hidden_states"]
        side = TOKEN * math.isqrt(latents.shape[1]) if latents.ndim == 3 else STRIDE * latents.shape[-1]
        numbers = (kwargs.get("added_cond_kwargs") or {}).get("time_ids")
        read = [None] if numbers is None else [tuple(row) for row in numbers.tolist()]
        seen.update((torch.is_grad_enabled(), side, row) for row in read)
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(network, "forward", recorded)
    return seen


def teach_at(size, job, model, tiny_model):
    """Run a teach job with validation and class images on square photos; returns its folders."""
    changes = {"steps": "2", "checkpoint_every": "1", "size": str(size), "class_images": json.dumps(CLASS)}
    base = tiny_model(model)
    write_teach_job(job, base, family=MODELS[model], model=model, **VALIDATION, **changes)
    references = job / "input" / "data" / "references"
    for file in references.iterdir():
        file.unlink()
    write_photos(references, ((size, size), (3 * size, 3 * size)))
    for name in ("clip", "dino"):
        (job / "input" / "data" / name).symlink_to(tiny_model(f"{name}-tiny"))
    folders = Folders(job)
    folders.model.mkdir(exist_ok=True)
    train(folders, hyperparameters.read(folders), StopRequest())
    return folders


@pytest.mark.parametrize(("model", "size"), list(cases()))
def test_size_and_crop_are_the_same_in_training_validation_and_generation(
    tiny_model, tmp_path, calls, model, size
):
    folders = teach_at(size, tmp_path / "job", model, tiny_model)
    read = (size, size, 0, 0, size, size) if MODELS[model] == "sdxl" else None
    assert calls == {(True, size, read), (False, size, read)}
    for file in folders.checkpoints.rglob("step-*/*.png"):
        assert Image.open(file).size == (size, size)
    calls.clear()
    generator = loaded(tiny_model(model), folders.model)
    (proxy,) = generator.generate(chunk(seeds=(5,), size=size, guidance=3.0, steps=2))
    assert calls == {(False, size, read)}
    assert proxy.size == (size, size)


@pytest.mark.parametrize("model", ["sdxl-tiny"])
def test_the_pipeline_is_given_the_numbers_and_not_left_to_its_defaults(tiny_model, monkeypatch, model):
    generator = loaded(tiny_model(model), None)
    given = []
    pipeline = type(generator.pipeline)
    call = pipeline.__call__

    def recorded(self, *args, **kwargs):
        given.append(
            {name: kwargs[name] for name in ("original_size", "crops_coords_top_left", "target_size")}
        )
        return call(self, *args, **kwargs)

    monkeypatch.setattr(pipeline, "__call__", recorded)
    generator.generate(chunk(seeds=(5,), variant="base", size=96, steps=1))
    assert given == [{"original_size": (96, 96), "crops_coords_top_left": (0, 0), "target_size": (96, 96)}]


def test_the_middle_of_a_photo_counts_as_whole_unless_it_was_enlarged(tmp_path):
    write_photos(tmp_path, ((96, 48), (48, 64), (32, 32), (16, 24)))
    photos = PhotoSet(tmp_path, 32)
    middle = CROP_POSITIONS // 2
    read = [[photos.conditioning(crop) for crop in photos.crops(photo)] for photo in range(len(photos))]
    # Scaled, they are 64 x 32, 32 x 43 and 32 x 32 pixels; the last one was enlarged.
    assert read[0][middle] == read[1][middle] == read[2][0] == SizeAndCrop.whole(32)
    assert [each.corner for each in read[0]] == [(0, across) for across in (16, 12, 8, 4, 0, 4, 8, 12, 16)]
    assert [each.corner for each in read[1]] == [(down, 0) for down in (5, 4, 2, 1, 0, 1, 2, 4, 5)]
    assert {each.original for each in read[0] + read[1] + read[2]} == {(32, 32)}
    assert read[3][middle] == SizeAndCrop((16, 16), (0, 0), 32)


def test_mirroring_changes_neither(tmp_path):
    write_photos(tmp_path, ((96, 48),))
    photos = PhotoSet(tmp_path, 32)
    straight, mirrored = (photos.conditioning(Crop(0, 0, 0, each)) for each in (False, True))
    assert straight == mirrored == SizeAndCrop((32, 32), (0, 16), 32)
