"""Prompts are encoded once, and the text encoders are freed before the first step."""

import pytest
import torch
from jobs import write_photos
from memory_use import left_over, living
from teaching import MODELS, family_of, photo_set, prepared

from proxytune.teacher import lora_trainer
from proxytune.teacher.config import ClassImages, ValidationImage
from proxytune.teacher.photos import PhotoSet

VALIDATION_PROMPTS = ("a ohwx dog in the snow",)


@pytest.mark.parametrize("model", MODELS)
def test_only_the_network_and_the_vae_stay_and_no_prompt_is_encoded_again(
    tiny_model, tmp_path, monkeypatch, model
):
    base, photos = tiny_model(model), photo_set(tmp_path / "photos")
    write_photos(tmp_path / "class", ((64, 64),))
    class_images = ClassImages("a photo of dog", PhotoSet(tmp_path / "class", 64), 0.5)
    before, real, seen = living(), lora_trainer.load_vae, []

    def load_vae(*arguments, **options):
        seen.append(left_over(before, []))
        return real(*arguments, **options)

    monkeypatch.setattr(lora_trainer, "load_vae", load_vae)
    teacher = prepared(base, photos, validation_prompts=VALIDATION_PROMPTS, class_images=class_images)
    # Already before the rest is loaded: a GPU may not have the memory for both.
    assert seen == [set()]
    stay = [teacher.network, teacher.latents.vae]
    assert left_over(before, stay) == set()
    monkeypatch.setattr(type(family_of(model)), "load_text_encoders", lambda *_: pytest.fail("loaded again"))
    rng = torch.Generator().manual_seed(1)
    for step in range(2):
        teacher.loss(step, rng).backward()
    image = ValidationImage(0, VALIDATION_PROMPTS[0], in_context=True, seed=5)
    teacher.generate_images([image], {"steps": 1, "guidance": 3.0})
    assert left_over(before, stay) == set()
