"""Findings in rendered pictures that the miniature's own decoders have reconstructed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from softened import pictures_of_the_world

from proxytune.drawn_world.ground_truth.finding import find
from proxytune.drawn_world.ground_truth.measures import compare
from proxytune.student.families.llamagen import load_student
from proxytune.teacher.loading import load_part

MODELS = Path(__file__).parents[3] / "models" / "miniature"
COUNT = 60


def redrawn_by_the_teacher(levels):
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    vae = load_part(AutoencoderKL, MODELS / "sdxl-miniature", "vae", torch.float32)
    return vae.decode(vae.encode(levels).latent_dist.mean).sample


def redrawn_by_the_student(levels):
    vq = load_student(MODELS / "llamagen-miniature").vq
    return vq.decode(vq.encode(levels))


# Measured on 120: everything right; palette 2.1 and 3.5; shape .985 and .980.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("redrawn", "palette"), [(redrawn_by_the_teacher, 3.0), (redrawn_by_the_student, 5.0)]
)
def test_reconstructed_pictures_are_read_correctly(redrawn, palette):
    world = pictures_of_the_world(COUNT, seed=11)
    levels = torch.from_numpy(np.stack([one.pixels for one in world])).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.inference_mode():
        drawn = ((redrawn(levels).clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    found = find([Image.fromarray(one) for one in drawn])
    exact = [compare(one, true.appearance, true.pose.context) for one, true in zip(found, world, strict=True)]
    for name in ("category", "context", "pattern"):
        assert np.mean([getattr(one, name) for one in exact]) >= 0.97, name
    assert np.mean([one.palette for one in exact]) < palette
    assert np.mean([one.shape for one in exact]) > 0.95
