"""Training objectives: the noise level of the network's input, its target, and the weight of an error."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from proxytune.contract.errors import ProxytuneError
from proxytune.teacher.loading import load_named, part_folder
from proxytune.training.transfer import to_device


@dataclass(frozen=True)
class NoisySample:
    """The noisy latents of one training batch, and what the network has to predict for them.

    Attributes:
        latents: (B, C, h, w) noisy latents.
        timesteps: (B,) noise levels in the scheduler's unit, 0 to 1000.
        target: (B, C, h, w) the correct prediction.
        weights: (B,) factors of the images' squared errors.
    """

    latents: Tensor
    timesteps: Tensor
    target: Tensor
    weights: Tensor


class Objective(Protocol):
    """Makes training batches."""

    def add_noise(self, latents: Tensor, noise: Tensor, rng: torch.Generator) -> NoisySample:
        """Add noise to latents at random levels, which come from `rng`, a CPU generator."""
        ...


class Denoising:
    """DDPM's objective: the noise, or its velocity, at uniformly random timesteps, as SDXL was trained.

    Args:
        base: model folder; its sampler has the training's noise levels but cannot add noise at every one.
        snr_gamma: weigh by min(SNR, gamma) (Min-SNR, arXiv 2303.09556); None weighs all alike.

    Raises:
        ProxytuneError: ModelMismatch for another objective.
    """

    def __init__(self, base: Path, snr_gamma: float | None = None) -> None:
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

        self._schedule: Any = DDPMScheduler.from_config(load_named(base, "scheduler").config)
        kind = self._schedule.config.prediction_type
        if kind not in ("epsilon", "v_prediction"):
            raise _unknown(base, f"prediction_type {kind}", "epsilon, v_prediction")
        # The schedule moves its own table to the latents' device; weights are computed before that.
        self._signals: Tensor = self._schedule.alphas_cumprod.clone()
        self._velocity = kind == "v_prediction"
        self._gamma = snr_gamma

    def add_noise(self, latents: Tensor, noise: Tensor, rng: torch.Generator) -> NoisySample:
        """Implement `Objective.add_noise`."""
        count = len(latents)
        on_cpu = torch.randint(self._schedule.config.num_train_timesteps, (count,), generator=rng)
        timesteps = to_device(on_cpu, latents.device)
        target = self._schedule.get_velocity(latents, noise, timesteps) if self._velocity else noise
        noisy = self._schedule.add_noise(latents, noise, timesteps)
        return NoisySample(noisy, timesteps, target, to_device(self._weights(on_cpu), latents.device))

    def _weights(self, timesteps: Tensor) -> Tensor:
        if self._gamma is None:
            return torch.ones(len(timesteps))
        signal = self._signals[timesteps]
        ratio = signal / (1 - signal)
        # A velocity's error is (SNR + 1) times the image's, the noise's is SNR times it.
        return ratio.clamp(max=self._gamma) / (ratio + 1 if self._velocity else ratio)


class FlowMatching:
    """Rectified flow: the velocity from image to noise, at levels of the scheduler's own table.

    Args:
        base: model folder; its scheduler's shift decides how much noise the table's levels have.
        logit_normal: sample levels around the middle (logit-normal) instead of uniformly.
        image_error: use the error of the image that follows from the velocity, which is `level` times the
            velocity's own error.

    Raises:
        ProxytuneError: ModelMismatch for a scheduler of another kind.
    """

    def __init__(self, base: Path, *, logit_normal: bool, image_error: bool) -> None:
        scheduler = load_named(base, "scheduler")
        if type(scheduler).__name__ != "FlowMatchEulerDiscreteScheduler":
            raise _unknown(base, type(scheduler).__name__, "FlowMatchEulerDiscreteScheduler")
        self._count: int = scheduler.config.num_train_timesteps
        self._timesteps: Tensor = scheduler.timesteps.cpu()
        self._levels: Tensor = scheduler.sigmas[: self._count].cpu()
        self._logit_normal, self._image_error = logit_normal, image_error

    def add_noise(self, latents: Tensor, noise: Tensor, rng: torch.Generator) -> NoisySample:
        """Implement `Objective.add_noise`."""
        count = len(latents)
        if self._logit_normal:
            share = torch.sigmoid(torch.randn(count, generator=rng))
        else:
            share = torch.rand(count, generator=rng)
        indices = (share * self._count).long().clamp(max=self._count - 1)
        levels = self._levels[indices]
        weights = levels.square() if self._image_error else torch.ones(count)
        level = to_device(levels, latents.device).view(-1, 1, 1, 1)
        return NoisySample(
            latents=(1 - level) * latents + level * noise,
            timesteps=to_device(self._timesteps[indices], latents.device),
            target=noise - latents,
            weights=to_device(weights, latents.device),
        )


def _unknown(base: Path, given: str, allowed: str) -> ProxytuneError:
    return ProxytuneError(
        "ModelMismatch",
        what="The trainer does not know the teacher's objective",
        given=f"{given} in {part_folder(base, 'scheduler')}",
        allowed=allowed,
        remedy="choose a model with one of these objectives",
    )


def refuse_snr(snr_gamma: float | None) -> None:
    """Refuse Min-SNR where it does not apply.

    Raises:
        ProxytuneError: HyperparameterInvalid.
    """
    if snr_gamma is not None:
        raise ProxytuneError(
            "HyperparameterInvalid",
            what="Min-SNR weighs noise levels of DDPM; this teacher is trained by rectified flow",
            given=f"snr_gamma {snr_gamma}",
            allowed="none",
            remedy="leave snr_gamma out of this teacher's recipe",
        )
