"""What a network is trained to answer: how noisy its input is, its target, and how much an error counts."""

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
class Noised:
    """One training batch.

    Attributes:
        latents: (B, C, h, w) noisy latents.
        times: (B,) what the scheduler calls their noise levels, 0 to 1000.
        target: (B, C, h, w) the right answer.
        weights: (B,) factors of the pictures' squared errors.
    """

    latents: Tensor
    times: Tensor
    target: Tensor
    weights: Tensor


class Objective(Protocol):
    """Makes training batches."""

    def noised(self, latents: Tensor, noise: Tensor, draws: torch.Generator) -> Noised:
        """Latents with noise at drawn levels; all draws come from `draws`, a CPU generator."""
        ...


class Denoising:
    """DDPM's objective: the noise, or its velocity, at uniformly drawn timesteps, as SDXL was trained.

    Args:
        base: model folder; its sampler shares the training's noise levels but cannot add noise at any.
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
        # The schedule takes its own table along to the latents' device; weights are looked up before that.
        self._signals: Tensor = self._schedule.alphas_cumprod.clone()
        self._velocity = kind == "v_prediction"
        self._gamma = snr_gamma

    def noised(self, latents: Tensor, noise: Tensor, draws: torch.Generator) -> Noised:
        """As `Objective.noised`."""
        count = len(latents)
        drawn = torch.randint(self._schedule.config.num_train_timesteps, (count,), generator=draws)
        times = to_device(drawn, latents.device)
        target = self._schedule.get_velocity(latents, noise, times) if self._velocity else noise
        noisy = self._schedule.add_noise(latents, noise, times)
        return Noised(noisy, times, target, to_device(self._weights(drawn), latents.device))

    def _weights(self, times: Tensor) -> Tensor:
        if self._gamma is None:
            return torch.ones(len(times))
        signal = self._signals[times]
        ratio = signal / (1 - signal)
        # A velocity's error is (SNR + 1) times the picture's, the noise's is SNR times it.
        return ratio.clamp(max=self._gamma) / (ratio + 1 if self._velocity else ratio)


class FlowMatching:
    """Rectified flow: the velocity from picture to noise, at levels of the scheduler's own table.

    Args:
        base: model folder; its scheduler's shift decides how much noise the table's levels have.
        middling: draw levels about the middle (logit-normal) instead of uniformly.
        as_picture: count the error of the picture that follows from the velocity, which is `level` times the
            velocity's own error.

    Raises:
        ProxytuneError: ModelMismatch for a scheduler of another kind.
    """

    def __init__(self, base: Path, *, middling: bool, as_picture: bool) -> None:
        scheduler = load_named(base, "scheduler")
        if type(scheduler).__name__ != "FlowMatchEulerDiscreteScheduler":
            raise _unknown(base, type(scheduler).__name__, "FlowMatchEulerDiscreteScheduler")
        self._count: int = scheduler.config.num_train_timesteps
        self._times: Tensor = scheduler.timesteps.cpu()
        self._levels: Tensor = scheduler.sigmas[: self._count].cpu()
        self._middling, self._as_picture = middling, as_picture

    def noised(self, latents: Tensor, noise: Tensor, draws: torch.Generator) -> Noised:
        """As `Objective.noised`."""
        count = len(latents)
        if self._middling:
            share = torch.sigmoid(torch.randn(count, generator=draws))
        else:
            share = torch.rand(count, generator=draws)
        places = (share * self._count).long().clamp(max=self._count - 1)
        levels = self._levels[places]
        weights = levels.square() if self._as_picture else torch.ones(count)
        level = to_device(levels, latents.device).view(-1, 1, 1, 1)
        return Noised(
            latents=(1 - level) * latents + level * noise,
            times=to_device(self._times[places], latents.device),
            target=noise - latents,
            weights=to_device(weights, latents.device),
        )


def _unknown(base: Path, given: str, allowed: str) -> ProxytuneError:
    return ProxytuneError(
        "ModelMismatch",
        what="The teacher's objective is not known to the trainer",
        given=f"{given} in {part_folder(base, 'scheduler')}",
        allowed=allowed,
        remedy="choose a model of one of these objectives",
    )


def without_snr(snr_gamma: float | None) -> None:
    """Refuse Min-SNR where it means nothing.

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
