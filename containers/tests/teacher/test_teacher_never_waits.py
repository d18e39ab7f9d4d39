"""Neither a training step nor a denoising step of a teacher waits for the GPU."""

import pytest
import teaching
import torch
from jobs import write_photos
from simulated_gpu import WaitingError
from teaching import MODELS, chunk, family_of, prepared
from waiting import GPU, KINDS, take_steps, watched

from proxytune.teacher.config import ClassImages
from proxytune.teacher.generator import DiffusionGenerator
from proxytune.teacher.photos import PhotoSet

# What one family alone does in a step, and what all can do.
CHANGES = {"sdxl-tiny": {"snr_gamma": 5.0}, "sd3-medium-tiny": {"bits": 4}}


@pytest.fixture
def on_gpu(monkeypatch):
    monkeypatch.setattr(teaching, "CPU", GPU)


@pytest.fixture
def photos(tmp_path):
    """One photo with several crops: a step that is the first to use one does not run the VAE."""
    write_photos(tmp_path / "photos", ((96, 64),))
    return PhotoSet(tmp_path / "photos", 64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS)
def test_no_step_waits_for_the_gpu(tiny_model, photos, tmp_path, monkeypatch, on_gpu, model, kind):
    changes = dict(CHANGES.get(model, {}))
    if model == "sdxl-tiny":
        write_photos(tmp_path / "class", ((64, 64), (64, 64)))
        changes["class_images"] = ClassImages("a dog", PhotoSet(tmp_path / "class", 64), 1.0)
    with watched(kind, monkeypatch) as watch:
        teacher = prepared(tiny_model(model), photos, **changes)
        assert {value.device.type for value in teacher.network.parameters()} == {"cuda"}
        assert teacher.network.dtype == torch.bfloat16
        take_steps(teacher, tmp_path / "job", watch)


@pytest.mark.parametrize("model", ["sdxl-tiny", "sd3-medium-tiny", "flux-dev-tiny"])
def test_denoising_waits_in_its_first_step_only(tiny_model, monkeypatch, model):
    with watched("simulated", monkeypatch) as watch:
        generator = DiffusionGenerator(family_of(model))
        generator.load(tiny_model(model), None, GPU)
        done = []

        def after(*_):
            done.append(1)
            # Once per batch, schedulers of diffusers look up where in their table they begin.
            watch.strict(1 < len(done) < 4)

        network = getattr(generator.pipeline, generator.family.network)
        network.register_forward_hook(after)
        request = chunk(seeds=(11,), batch_size=1, steps=4, variant="base")
        assert [picture.size for picture in generator.generate(request)] == [(64, 64)]
        assert len(done) == 4


def test_a_step_that_reads_a_number_is_caught(tiny_model, photos, tmp_path, monkeypatch, on_gpu):
    with watched("simulated", monkeypatch) as watch:
        teacher = prepared(tiny_model("sd3-medium-tiny"), photos)
        real = teacher.loss

        def loss(step, rng):
            value = real(step, rng)
            return value / (1 + 0 * float(value.detach())) if step == 2 else value

        monkeypatch.setattr(teacher, "loss", loss)
        with pytest.raises(WaitingError, match="_local_scalar_dense"):
            take_steps(teacher, tmp_path / "job", watch)
