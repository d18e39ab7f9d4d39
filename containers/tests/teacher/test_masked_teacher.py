"""Masked photos: of no family does the background reach the training, and the subject does."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from jobs import write_photos, write_teach_job
from PIL import Image
from safetensors.torch import load_file
from teaching import MODELS, prepared, teach

from proxytune.contract.errors import ProxytuneError
from proxytune.masks.photo_masks import PhotoMask
from proxytune.teacher.config import ClassImages
from proxytune.teacher.lora_file import WEIGHTS_FILE
from proxytune.teacher.photos import PhotoSet

# Those of a teach job.
SIZES = ((96, 64), (70, 100), (64, 64))


def subject(size):
    """A disc, which touches neither edge."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    return (rows - height / 2) ** 2 + (columns - width / 3) ** 2 < (min(size) / 4) ** 2


MASKS = [PhotoMask(subject(size), "file", 0.2) for size in SIZES]


def write_masks(references):
    for number, size in enumerate(SIZES):
        image = Image.fromarray(np.where(subject(size), np.uint8(255), np.uint8(0)))
        image.save(references / f"{number:03d}.mask", "PNG")


def perturb(folder, *, inside: bool) -> None:
    """Invert the photos inside or outside of the subject."""
    for file, size in zip(sorted(folder.glob("*.png")), SIZES, strict=True):
        pixels = np.array(Image.open(file))
        changed = subject(size) == inside
        pixels[changed] = 255 - pixels[changed]
        Image.fromarray(pixels).save(file)


def losses(base, photos, count=3, **changes):
    teacher = prepared(base, photos, **changes)
    rng = torch.Generator().manual_seed(1)
    return [float(teacher.loss(step, rng).detach()) for step in range(count)]


@pytest.mark.parametrize("model", MODELS)
def test_a_job_learns_nothing_of_the_background(tiny_model, tmp_path, model):
    base = tiny_model(model)

    def adapter(name, inside=None):
        folder = tmp_path / name
        given = {"family": MODELS[model], "model": model, "steps": "2", "learning_rate": "0.01"}
        write_teach_job(folder, base, **given)
        if inside is not None:
            perturb(folder / "input" / "data" / "references", inside=inside)
        write_masks(folder / "input" / "data" / "references")
        return load_file(teach(folder, model, base) / WEIGHTS_FILE)

    first = adapter("first")
    same = adapter("other-background", inside=False)
    assert all(torch.equal(value, same[name]) for name, value in first.items())
    other = adapter("other-subject", inside=True)
    assert any(not torch.equal(value, other[name]) for name, value in first.items())


@pytest.mark.parametrize("model", MODELS)
def test_an_error_counts_by_the_share_of_its_latent_that_is_subject(tiny_model, tmp_path, model, monkeypatch):
    """With predictions that are given, and the same of the untuned network."""
    write_photos(tmp_path, SIZES)
    teacher = prepared(tiny_model(model), PhotoSet(tmp_path, 64, masks=MASKS))
    side = 64 // (2 ** (len(teacher.latents.vae.config.block_out_channels) - 1))
    predicted = torch.zeros(2, teacher.family.latent_channels(teacher.network), side, side)
    monkeypatch.setattr(teacher.family, "predict", lambda *_: predicted)
    found = float(teacher.loss(0, torch.Generator().manual_seed(1)))
    # The weights of that step: nothing else takes random numbers before.
    rng = torch.Generator().manual_seed(1)
    weights = torch.stack([teacher._sample(teacher._photos, position, rng)[2] for position in (0, 1)])
    outside = (weights[:, :1] == 0).expand_as(predicted)
    assert 0.2 < float(outside.float().mean()) < 0.95
    predicted[outside] = 1e6
    assert float(teacher.loss(0, torch.Generator().manual_seed(1))) == found
    predicted[~outside] = 1e6
    assert float(teacher.loss(0, torch.Generator().manual_seed(1))) > 1e9


@pytest.mark.parametrize("model", MODELS)
def test_outside_of_the_subject_the_untuned_network_is_the_target(tiny_model, tmp_path, model):
    base = tiny_model(model)
    write_photos(tmp_path, SIZES)
    masked, unmasked = (PhotoSet(tmp_path, 64, masks=masks) for masks in (MASKS, ()))
    teacher = prepared(base, masked)
    inputs = []
    predict = teacher.family.predict

    def recorded(network, *given):
        inputs.append(given)
        return predict(network, *given)

    teacher.family.predict = recorded
    first = float(teacher.loss(0, torch.Generator().manual_seed(1)).detach())
    assert len(inputs) == 2
    # A new adapter changes nothing: then the two predictions are the same.
    assert torch.equal(predict(teacher.network, *inputs[0]), teacher._untuned(*inputs[0]))
    with torch.no_grad():
        for _, value in teacher.named_parameters():
            value.normal_(std=0.2)
    tuned, untuned = predict(teacher.network, *inputs[0]), teacher._untuned(*inputs[0])
    assert not torch.allclose(tuned, untuned)
    assert float(teacher.loss(0, torch.Generator().manual_seed(1)).detach()) != first
    # The adapter takes part again afterwards.
    assert torch.equal(predict(teacher.network, *inputs[0]), tuned)
    # One pass is enough where nothing is masked.
    teacher = prepared(base, unmasked)
    teacher.family.predict, inputs[:] = recorded, []
    teacher.loss(0, torch.Generator().manual_seed(1))
    assert len(inputs) == 1


def test_the_loss_keeps_its_scale(tiny_model, tmp_path):
    base = tiny_model("sdxl-tiny")
    write_photos(tmp_path, SIZES)
    whole = [PhotoMask(np.ones((height, width), dtype=bool), "file", 1.0) for width, height in SIZES]
    unmasked = losses(base, PhotoSet(tmp_path, 64))
    # Where all is subject there is no mask.
    assert losses(base, PhotoSet(tmp_path, 64, masks=whole)) == pytest.approx(unmasked)
    masked = losses(base, PhotoSet(tmp_path, 64, masks=MASKS))
    assert all(0.3 < one / two < 3 for one, two in zip(masked, unmasked, strict=True))


def test_class_images_are_not_masked(tiny_model, tmp_path):
    """A class image has the same weight everywhere, whatever the photo of the same number has."""
    write_photos(tmp_path / "photos", SIZES)
    write_photos(tmp_path / "class", SIZES)
    images = ClassImages("a dog", PhotoSet(tmp_path / "class", 64), 1.0)
    teacher = prepared(
        tiny_model("sdxl-tiny"), PhotoSet(tmp_path / "photos", 64, masks=MASKS), class_images=images
    )
    rng = torch.Generator().manual_seed(1)
    own = teacher._sample(teacher._photos, 0, rng)[2]
    of_class = teacher._sample(images.images, 0, rng)[2]
    assert float(own[0].min()) == 0
    assert torch.equal(of_class[0], torch.ones_like(own[0]))
    assert not of_class[1].any()


def test_only_crops_that_show_the_subject_are_used(tmp_path):
    write_photos(tmp_path, ((192, 64),))
    mask = np.zeros((64, 192), dtype=bool)
    mask[:, :32] = True
    photos = PhotoSet(tmp_path, 64, masks=[PhotoMask(mask, "file", 1 / 6)])
    # Nine positions, 16 pixels apart; with the third only none of the subject would be left.
    assert sorted({crop.left for crop in photos.crops(0)}) == [0, 16]
    rng = torch.Generator().manual_seed(1)
    assert {photos.random_crop(0, rng) for _ in range(30)} == set(photos.crops(0))
    first = photos.crops(0)[0]
    weights = photos.weights(first, 8)
    assert weights[:, 0].tolist() == [[2, 2, 2, 2, 0, 0, 0, 0], [0, 0, 0, 0, 2, 2, 2, 2]]
    assert torch.equal(photos.weights(replace(first, mirrored=True), 8), weights.flip(2))


def test_masks_are_part_of_what_a_checkpoint_depends_on(tmp_path):
    write_photos(tmp_path, SIZES)
    unmasked = PhotoSet(tmp_path, 64)
    # As before there were masks: an adapter of an earlier version stays resumable.
    assert unmasked.identities == unmasked.sha256
    masked = PhotoSet(tmp_path, 64, masks=MASKS)
    others = [PhotoMask(~MASKS[0].mask, "file", 0.8), *MASKS[1:]]
    data = {tuple(photos.identities) for photos in (unmasked, masked, PhotoSet(tmp_path, 64, masks=others))}
    assert len(data) == 3


def test_a_job_finds_masks_by_itself(tiny_model, tmp_path, capsys):
    base = tiny_model("sdxl-tiny")
    folder = write_teach_job(tmp_path / "job", base, mask_prompt="a dog", steps="1")
    (folder / "input" / "data" / "segmenter").symlink_to(tiny_model("clipseg-tiny"))
    teach(folder, "sdxl-tiny", base)
    record = json.loads((folder / "checkpoints" / "masks" / "masks.json").read_text())
    assert [entry["source"] for entry in record["masks"]] == ["found"] * 3
    assert capsys.readouterr().out.count("found mask, subject") == 3


def test_a_job_refuses_a_bad_mask(tiny_model, tmp_path):
    base = tiny_model("sdxl-tiny")
    folder = write_teach_job(tmp_path / "job", base)
    write_masks(folder / "input" / "data" / "references")
    Image.new("L", SIZES[1]).save(folder / "input" / "data" / "references" / "001.mask", "PNG")
    with pytest.raises(ProxytuneError, match="all black") as refused:
        teach(folder, "sdxl-tiny", base)
    assert refused.value.name == "MaskInvalid"
