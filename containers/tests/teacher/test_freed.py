"""Texts are encoded once, and what encodes them is freed before the first step."""

import pytest
import torch
from held import left_over, living
from jobs import write_photos
from teaching import MODELS, family_of, photo_set, prepared

from proxytune.teacher import model as teacher_model
from proxytune.teacher.config import Prior
from proxytune.teacher.photos import PhotoSet

SAMPLES = ("a ohwx dog in the snow",)


@pytest.mark.parametrize("model", MODELS)
def test_beside_the_network_only_the_vae_stays_and_no_text_is_read_again(
    tiny_model, tmp_path, monkeypatch, model
):
    base, photos = tiny_model(model), photo_set(tmp_path / "photos")
    write_photos(tmp_path / "class", ((64, 64),))
    prior = Prior("a photo of dog", PhotoSet(tmp_path / "class", 64), 0.5)
    before, real, seen = living(), teacher_model.load_part, []

    def load_part(*given):
        seen.append(left_over(before, []))
        return real(*given)

    monkeypatch.setattr(teacher_model, "load_part", load_part)
    teacher = prepared(base, photos, samples=SAMPLES, prior=prior)
    # Already when the rest is read: a card need not have room for both.
    assert seen[0] == set()
    stay = [teacher.network, teacher.latents.vae]
    assert left_over(before, stay) == set()
    monkeypatch.setattr(type(family_of(model)), "load_texts", lambda *_: pytest.fail("read again"))
    draws = torch.Generator().manual_seed(1)
    for step in range(2):
        teacher.loss(step, draws).backward()
    teacher.sample(0, 5, {"steps": 1, "guidance": 3.0})
    assert left_over(before, stay) == set()
