"""Every family's loss, against the value that diffusers' own scheduler and network give at the same draws."""

import json
import shutil

import pytest
import torch
from teaching import MODELS, lesson, photo_set, prepared

from proxytune.contract.errors import ProxytuneError
from proxytune.teacher.objectives import Denoising, FlowMatching


def replay(teacher, photos, seed):
    """Latents, their crops and noise as the teacher draws them for its first step, drawn here by hand."""
    draws = torch.Generator().manual_seed(seed)
    vae, config = teacher.latents.vae, teacher.latents.vae.config
    latents, crops = [], []
    for slot in range(2):
        crop = photos.draw_crop(photos.photo_of(slot, 1), draws)
        with torch.no_grad():
            asked = vae.encode(photos.pixels(crop)[None]).latent_dist
        sample = asked.mean + asked.std * torch.randn(asked.mean.shape, generator=draws)
        latents.append((sample - (config.shift_factor or 0.0)) * config.scaling_factor)
        crops.append((photos.original_sizes[crop.photo], (crop.top, crop.left)))
    latents = torch.cat(latents)
    return latents, torch.randn(latents.shape, generator=draws), crops, draws


def scheduler_of(base):
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler.from_pretrained(base / "scheduler", local_files_only=True)


def denoising(teacher, base, latents, noise, crops, draws):
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler.from_pretrained(base / "scheduler", local_files_only=True)
    times = torch.randint(1000, (2,), generator=draws)
    sizes = torch.tensor([[*original, *corner, 64, 64] for original, corner in crops], dtype=torch.float32)
    texts = teacher._texts.pick([0, 1])
    answer = teacher.network(
        scheduler.add_noise(latents, noise, times),
        times,
        texts.states,
        added_cond_kwargs={"text_embeds": texts.pooled, "time_ids": sizes},
    ).sample
    return (answer - noise).square().mean()


def levels_of(scheduler, share):
    """The noise levels of timesteps found by their values, as diffusers' scripts look them up."""
    times = scheduler.timesteps[(share * 1000).long()]
    places = [int((scheduler.timesteps == time).nonzero()[0]) for time in times]
    return times, scheduler.sigmas[places].view(-1, 1, 1, 1)


def sd3(teacher, base, latents, noise, crops, draws):
    times, sigmas = levels_of(scheduler_of(base), torch.sigmoid(torch.randn(2, generator=draws)))
    texts = teacher._texts.pick([0, 1])
    noisy = (1 - sigmas) * latents + sigmas * noise
    answer = teacher.network(
        hidden_states=noisy,
        timestep=times,
        encoder_hidden_states=texts.states,
        pooled_projections=texts.pooled,
    ).sample
    # The picture that follows from the velocity, as the script with its preconditioning compares.
    return (answer * -sigmas + noisy - latents).square().mean()


def flux(teacher, base, latents, noise, crops, draws):
    from diffusers import FluxPipeline

    times, sigmas = levels_of(scheduler_of(base), torch.rand(2, generator=draws))
    texts = teacher._texts.pick([0, 1])
    noisy = (1 - sigmas) * latents + sigmas * noise
    answer = teacher.network(
        hidden_states=FluxPipeline._pack_latents(noisy, 2, 16, 8, 8),
        timestep=times / 1000,
        guidance=torch.ones(2),
        encoder_hidden_states=texts.states,
        pooled_projections=texts.pooled,
        txt_ids=torch.zeros(64, 3),
        img_ids=FluxPipeline._prepare_latent_image_ids(2, 4, 4, torch.device("cpu"), torch.float32),
    ).sample
    answer = FluxPipeline._unpack_latents(answer, 64, 64, 8)
    return (answer - (noise - latents)).square().mean()


EXPECTED = {"sdxl": denoising, "sd3": sd3, "flux": flux}


@pytest.mark.parametrize("model", MODELS)
def test_the_loss_is_the_one_of_diffusers_own_scheduler(tiny_model, tmp_path, model):
    base, photos = tiny_model(model), photo_set(tmp_path)
    teacher = prepared(base, photos)
    with torch.no_grad():
        for _, value in teacher.named_parameters():
            value.normal_(std=0.1)
        ours = teacher.loss(0, torch.Generator().manual_seed(5))
        expected = EXPECTED[MODELS[model]](teacher, base, *replay(teacher, photos, 5))
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


def test_v_prediction_is_honoured_and_an_unknown_objective_refused(tiny_model, tmp_path):
    latents, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    velocity = Denoising(with_objective(tiny_model("sdxl-tiny"), tmp_path, "v_prediction"))
    noised = velocity.noised(latents, noise, torch.Generator().manual_seed(1))
    share = velocity._schedule.alphas_cumprod[noised.times].view(2, 1, 1, 1)
    expected = share.sqrt() * noise - (1 - share).sqrt() * latents
    assert torch.allclose(noised.target, expected, atol=1e-6)
    with pytest.raises(ProxytuneError, match="prediction_type sample") as caught:
        Denoising(with_objective(tiny_model("sdxl-tiny"), tmp_path, "sample"))
    assert caught.value.name == "ModelMismatch"
    with pytest.raises(ProxytuneError, match="EulerDiscreteScheduler"):
        FlowMatching(tiny_model("sdxl-tiny"), middling=True, as_picture=True)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_min_snr_counts_clear_pictures_less(tiny_model, tmp_path, kind):
    from diffusers.training_utils import compute_snr

    objective = Denoising(with_objective(tiny_model("sdxl-tiny"), tmp_path, kind), snr_gamma=5.0)
    latents = torch.zeros(64, 4, 1, 1)
    noised = objective.noised(latents, latents, torch.Generator().manual_seed(1))
    snr = compute_snr(objective._schedule, noised.times)
    expected = torch.minimum(snr, torch.tensor(5.0)) / (snr if kind == "epsilon" else snr + 1)
    assert torch.allclose(noised.weights, expected, rtol=1e-4)
    assert 0 < float(noised.weights.min()) < 0.5 < float(noised.weights.max())


def test_min_snr_is_refused_where_it_means_nothing(tiny_model, tmp_path):
    assert lesson(snr_gamma=5.0).snr_gamma == 5.0
    for model in ("sd3-medium-tiny", "flux-dev-tiny"):
        with pytest.raises(ProxytuneError, match="Min-SNR") as caught:
            prepared(tiny_model(model), photo_set(tmp_path / model), snr_gamma=5.0)
        assert caught.value.name == "HyperparameterInvalid"
