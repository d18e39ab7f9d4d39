"""Every family's loss, against that of diffusers' own scheduler and network with the same random numbers."""

import json
import shutil

import pytest
import torch
from jobs import write_photos
from teaching import MODELS, PROMPTS, family_of, photo_set, prepared, train_config

from proxytune.contract.errors import ProxytuneError
from proxytune.teacher.config import ClassImages
from proxytune.teacher.objectives import Denoising, FlowMatching
from proxytune.teacher.photos import PhotoSet

CLASS = "a photo of dog"


def replay(teacher, sets, seed):
    """Sample latents, crops and noise of a teacher's first step independently of the trainer.

    Args:
        sets: of images, each with two in a step.
    """
    rng = torch.Generator().manual_seed(seed)
    vae, config = teacher.latents.vae, teacher.latents.vae.config
    latents, crops = [], []
    for photos in sets:
        for slot in range(2):
            crop = photos.random_crop(photos.photo_at(slot, 1), rng)
            with torch.no_grad():
                output = vae.encode(photos.pixels(crop)[None]).latent_dist
            sample = output.mean + output.std * torch.randn(output.mean.shape, generator=rng)
            latents.append((sample - (config.shift_factor or 0.0)) * config.scaling_factor)
            crops.append(photos.conditioning(crop))
    # Otherwise a teacher that uses the first crop of each photo would pass.
    assert any(crop.corner != (0, 0) for crop in crops)
    latents = torch.cat(latents)
    return latents, torch.randn(latents.shape, generator=rng), crops, rng


def scheduler_of(base):
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler.from_pretrained(base / "scheduler", local_files_only=True)


def denoising(network, base, texts, latents, noise, crops, rng, gamma=None):
    from diffusers import DDPMScheduler
    from diffusers.training_utils import compute_snr

    scheduler = DDPMScheduler.from_pretrained(base / "scheduler", local_files_only=True)
    times = torch.randint(1000, (len(latents),), generator=rng)
    numbers = [[*crop.original, *crop.corner, 64, 64] for crop in crops]
    sizes = torch.tensor(numbers, dtype=torch.float32)
    prediction = network(
        scheduler.add_noise(latents, noise, times),
        times,
        texts.states,
        added_cond_kwargs={"text_embeds": texts.pooled, "time_ids": sizes},
    ).sample
    snr = compute_snr(scheduler, times)
    weights = 1 if gamma is None else snr.clamp(max=gamma) / snr
    return weights * (prediction - noise).square().mean((1, 2, 3))


def levels_of(scheduler, share):
    """Look up the noise levels of timesteps by their values, as diffusers' scripts do."""
    times = scheduler.timesteps[(share * 1000).long()]
    indices = [int((scheduler.timesteps == time).nonzero()[0]) for time in times]
    return times, scheduler.sigmas[indices].view(-1, 1, 1, 1)


def sd3(network, base, texts, latents, noise, crops, rng):
    logits = torch.randn(len(latents), generator=rng)
    times, sigmas = levels_of(scheduler_of(base), torch.sigmoid(logits))
    noisy = (1 - sigmas) * latents + sigmas * noise
    prediction = network(
        hidden_states=noisy,
        timestep=times,
        encoder_hidden_states=texts.states,
        pooled_projections=texts.pooled,
    ).sample
    # The error of the image that follows from the velocity, as in the script with its preconditioning.
    return (prediction * -sigmas + noisy - latents).square().mean((1, 2, 3))


def flux(network, base, texts, latents, noise, crops, rng):
    from diffusers import FluxPipeline

    count = len(latents)
    times, sigmas = levels_of(scheduler_of(base), torch.rand(count, generator=rng))
    noisy = (1 - sigmas) * latents + sigmas * noise
    prediction = network(
        hidden_states=FluxPipeline._pack_latents(noisy, count, 16, 8, 8),
        timestep=times / 1000,
        guidance=torch.ones(count),
        encoder_hidden_states=texts.states,
        pooled_projections=texts.pooled,
        txt_ids=torch.zeros(64, 3),
        img_ids=FluxPipeline._prepare_latent_image_ids(count, 4, 4, torch.device("cpu"), torch.float32),
    ).sample
    prediction = FluxPipeline._unpack_latents(prediction, 64, 64, 8)
    return (prediction - (noise - latents)).square().mean((1, 2, 3))


EXPECTED = {"sdxl": denoising, "sd3": sd3, "flux": flux}


@pytest.mark.parametrize("preserving", [False, True], ids=["subject", "subject and class images"])
@pytest.mark.parametrize(("model", "gamma"), [*((model, None) for model in MODELS), ("sdxl-tiny", 0.05)])
def test_the_loss_is_the_one_of_diffusers_own_scheduler(tiny_model, tmp_path, model, gamma, preserving):
    base, photos = tiny_model(model), photo_set(tmp_path / "photos")
    write_photos(tmp_path / "class", ((64, 90), (80, 64)))
    images = PhotoSet(tmp_path / "class", 64)
    class_images = ClassImages(CLASS, images, 0.5) if preserving else None
    teacher = prepared(base, photos, snr_gamma=gamma, class_images=class_images)
    family, sets = family_of(model), [photos, images] if preserving else [photos]
    prompts = [*PROMPTS, CLASS, CLASS][: 2 * len(sets)]
    texts = family.encode_prompts(family.load_text_encoders(base, torch.float32), prompts)
    with torch.no_grad():
        for _, value in teacher.named_parameters():
            value.normal_(std=0.1)
        ours = teacher.loss(0, torch.Generator().manual_seed(5))
        weighted = {} if gamma is None else {"gamma": gamma}
        errors = EXPECTED[MODELS[model]](teacher.network, base, texts, *replay(teacher, sets, 5), **weighted)
    expected = errors[:2].mean() + (0.5 * errors[2:].mean() if preserving else 0)
    assert float(ours) == pytest.approx(float(expected), rel=1e-5)


def test_sd3s_levels_are_shifted_towards_noise_and_fluxs_are_not(tiny_model):
    def middle(model):
        return float(scheduler_of(tiny_model(model)).sigmas[500])

    assert middle("sd3-medium-tiny") == pytest.approx(0.75, abs=1e-3)
    assert middle("flux-dev-tiny") == pytest.approx(0.5, abs=1e-3)


def with_objective(base, folder, name):
    changed = folder / name / base.name
    shutil.copytree(base, changed)
    file = changed / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "prediction_type": name}))
    return changed


def test_v_prediction_is_supported_and_an_unknown_objective_refused(tiny_model, tmp_path):
    latents, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    velocity = Denoising(with_objective(tiny_model("sdxl-tiny"), tmp_path, "v_prediction"))
    noisy = velocity.add_noise(latents, noise, torch.Generator().manual_seed(1))
    share = velocity._schedule.alphas_cumprod[noisy.timesteps].view(2, 1, 1, 1)
    expected = share.sqrt() * noise - (1 - share).sqrt() * latents
    assert torch.allclose(noisy.target, expected, atol=1e-6)
    with pytest.raises(ProxytuneError, match="prediction_type sample") as caught:
        Denoising(with_objective(tiny_model("sdxl-tiny"), tmp_path, "sample"))
    assert caught.value.name == "ModelMismatch"
    with pytest.raises(ProxytuneError, match="EulerDiscreteScheduler"):
        FlowMatching(tiny_model("sdxl-tiny"), logit_normal=True, image_error=True)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_min_snr_weighs_clear_images_less(tiny_model, tmp_path, kind):
    from diffusers.training_utils import compute_snr

    objective = Denoising(with_objective(tiny_model("sdxl-tiny"), tmp_path, kind), snr_gamma=5.0)
    latents = torch.zeros(64, 4, 1, 1)
    noisy = objective.add_noise(latents, latents, torch.Generator().manual_seed(1))
    snr = compute_snr(objective._schedule, noisy.timesteps)
    expected = torch.minimum(snr, torch.tensor(5.0)) / (snr if kind == "epsilon" else snr + 1)
    assert torch.allclose(noisy.weights, expected, rtol=1e-4)
    assert 0 < float(noisy.weights.min()) < 0.5 < float(noisy.weights.max())


def test_min_snr_is_refused_where_it_does_not_apply(tiny_model, tmp_path):
    assert train_config(snr_gamma=5.0).snr_gamma == 5.0
    for model in ("sd3-medium-tiny", "flux-dev-tiny"):
        with pytest.raises(ProxytuneError, match="Min-SNR") as caught:
            prepared(tiny_model(model), photo_set(tmp_path / model), snr_gamma=5.0)
        assert caught.value.name == "HyperparameterInvalid"
