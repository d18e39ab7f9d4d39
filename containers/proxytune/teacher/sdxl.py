"""The SDXL teacher: a LoRA on the U-Net, trained on the references with SDXL's own objective.

What never changes is computed once: prompts are encoded and the text encoders freed before the U-Net is
loaded; the VAE's answer to a crop is kept as the parameters of its distribution, and a fresh sample is drawn
at each use.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Parameter

from proxytune.contract.errors import ProxytuneError
from proxytune.teacher import token_word as token_words
from proxytune.teacher.loading import load_named, load_part, part_folder
from proxytune.teacher.photos import Crop, PhotoSet
from proxytune.teacher.sdxl_adapter import add_adapter, save_adapter
from proxytune.teacher.sdxl_text import encode_prompts, load_text_encoders

# With less GPU memory than this, activations are recomputed: SDXL LoRA at 1024 px takes about 24 GB without
# (diffusers' DreamBooth README).
ROOMY_GPU_BYTES = 40 * 2**30


@dataclass(frozen=True)
class _Batch:
    """What one step trains on: latents (B, C, h, w), prompt numbers, SDXL's six size numbers each."""

    latents: Tensor
    prompts: list[int]
    time_ids: Tensor


class SDXLTeacher:
    """A `training.loop.Trainee` after `prepare`.

    Args:
        base: the model folder, in diffusers' layout.
        device: where to train.
        dtype: of the frozen U-Net and text encoders; None is bfloat16 on a GPU, float32 elsewhere. The
            adapter and the VAE are float32 always.
    """

    def __init__(self, base: Path, device: torch.device, dtype: torch.dtype | None = None) -> None:
        self._base = base
        self._device = device
        self._dtype = dtype or (torch.bfloat16 if device.type == "cuda" else torch.float32)
        self._latents: dict[Crop, Tensor] = {}

    def prepare(
        self,
        photos: PhotoSet,
        prompts: list[str],
        token_word: str,
        *,
        rank: int,
        alpha: int,
        batch_size: int,
        seed: int,
        adapted: str = "attention",
    ) -> SDXLTeacher:
        """Load the weights, encode the prompts, put a fresh adapter on the U-Net.

        The adapter's first values are drawn from torch's global state: seed that before.

        Args:
            prompts: used in turn.
            batch_size: pictures a step.
            seed: of the order in which photos are used.
            adapted: a key of `sdxl_adapter.TARGETS`.

        Raises:
            ProxytuneError: TokenWordUnusable, ModelMissing, ModelMismatch.
        """
        self._photos, self._batch_size, self._seed = photos, batch_size, seed
        text = load_text_encoders(self._base, self._dtype, self._device)
        token_words.check(token_word, prompts, text.tokenizers)
        self._text, self._pooled = encode_prompts(text, prompts)
        del text
        self._schedule = _training_schedule(self._base)
        # float32 always: SDXL's VAE overflows in half precision (diffusers issues 4325, 4820).
        self._vae = load_part(_vae_class(), self._base, "vae", torch.float32).to(self._device)
        self._check_size(photos.size)
        unet = load_part(_unet_class(), self._base, "unet", self._dtype)
        add_adapter(unet, rank=rank, alpha=alpha, adapted=adapted)
        self.unet = unet.to(self._device).train()
        if self._device.type == "cuda":
            total = torch.cuda.get_device_properties(self._device).total_memory
            if total < ROOMY_GPU_BYTES:
                self.unet.enable_gradient_checkpointing()
        return self

    def named_parameters(self) -> Iterable[tuple[str, Parameter]]:
        """The adapter's parameters."""
        return [(name, value) for name, value in self.unet.named_parameters() if value.requires_grad]

    def loss(self, step: int, draws: torch.Generator) -> Tensor:
        """Mean squared error of the U-Net's answer at uniformly drawn timesteps, as SDXL was trained."""
        batch = self._batch(step, draws)
        count = len(batch.prompts)
        noise = torch.randn(batch.latents.shape, generator=draws).to(self._device)
        timesteps = torch.randint(self._schedule.config.num_train_timesteps, (count,), generator=draws)
        timesteps = timesteps.to(self._device)
        noisy = self._schedule.add_noise(batch.latents, noise, timesteps)
        answer = self.unet(
            noisy.to(self._dtype),
            timesteps,
            encoder_hidden_states=self._text[batch.prompts],
            added_cond_kwargs={"text_embeds": self._pooled[batch.prompts], "time_ids": batch.time_ids},
            return_dict=False,
        )[0]
        return F.mse_loss(answer.float(), self._target(batch.latents, noise, timesteps))

    def save(self, folder: Path) -> None:
        """Write the adapter and prove that reading it back gives the trained U-Net.

        Raises:
            ProxytuneError: ModelMismatch when it does not.
        """
        time_ids = torch.tensor([_time_ids((self._photos.size,) * 2, (0, 0), self._photos.size)])
        conditions = {
            "encoder_hidden_states": self._text[:1],
            "added_cond_kwargs": {"text_embeds": self._pooled[:1], "time_ids": time_ids.to(self._device)},
        }
        save_adapter(self.unet, folder, conditions)

    def _batch(self, step: int, draws: torch.Generator) -> _Batch:
        slots = range(step * self._batch_size, (step + 1) * self._batch_size)
        latents, sizes = [], []
        for slot in slots:
            photo = self._photos.photo_of(slot, self._seed)
            crop = self._photos.draw_crop(photo, draws)
            latents.append(self._sample_latents(crop, draws))
            sizes.append(
                _time_ids(self._photos.original_sizes[photo], (crop.top, crop.left), self._photos.size)
            )
        prompts = [slot % len(self._text) for slot in slots]
        return _Batch(torch.cat(latents), prompts, torch.tensor(sizes, device=self._device))

    def _sample_latents(self, crop: Crop, draws: torch.Generator) -> Tensor:
        """A sample of the VAE's distribution for this crop, normalised for the U-Net: (1, C, h, w)."""
        if crop not in self._latents:
            with torch.no_grad():
                pixels = self._photos.pixels(crop)[None].to(self._device)
                self._latents[crop] = self._vae.encode(pixels).latent_dist.parameters
        mean, log_variance = self._latents[crop].chunk(2, dim=1)
        # The clamp is that of diffusers' DiagonalGaussianDistribution.
        spread = torch.exp(0.5 * log_variance.clamp(-30.0, 20.0))
        sample = mean + spread * torch.randn(mean.shape, generator=draws).to(self._device)
        return normalise_latents(sample, self._vae.config)

    def _target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        if self._schedule.config.prediction_type == "v_prediction":
            return self._schedule.get_velocity(latents, noise, timesteps)
        return noise

    def _check_size(self, size: int) -> None:
        stride = 2 ** (len(self._vae.config.block_out_channels) - 1)
        if size % stride:
            raise ProxytuneError(
                "HyperparameterInvalid",
                what="The picture size does not fit the teacher's VAE",
                given=str(size),
                allowed=f"a multiple of {stride}",
                remedy="give the model's recipe in lib/core/data/models.json such a size",
            )


def normalise_latents(latents: Tensor, config: Any) -> Tensor:
    """From the VAE's latents to the U-Net's. Most SDXL VAEs only scale; some also shift."""
    mean, deviation = config.get("latents_mean"), config.get("latents_std")
    if mean is None or deviation is None:
        return latents * config["scaling_factor"]
    shift = torch.tensor(mean, device=latents.device).view(1, -1, 1, 1)
    scale = torch.tensor(deviation, device=latents.device).view(1, -1, 1, 1)
    return (latents - shift) * config["scaling_factor"] / scale


def restore_latents(latents: Tensor, config: Any) -> Tensor:
    """The inverse of `normalise_latents`."""
    mean, deviation = config.get("latents_mean"), config.get("latents_std")
    if mean is None or deviation is None:
        return latents / config["scaling_factor"]
    shift = torch.tensor(mean, device=latents.device).view(1, -1, 1, 1)
    scale = torch.tensor(deviation, device=latents.device).view(1, -1, 1, 1)
    return latents * scale / config["scaling_factor"] + shift


def _time_ids(original: tuple[int, ...], corner: tuple[int, int], size: int) -> list[float]:
    """SDXL's micro-conditioning: original height and width, the crop's corner, target height and width."""
    return [float(number) for number in (*original, *corner, size, size)]


def _training_schedule(base: Path) -> Any:
    """The training noise schedule: the folder's sampler shares its betas but cannot add noise at any step."""
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    schedule = DDPMScheduler.from_config(load_named(base, "scheduler").config)
    kind = schedule.config.prediction_type
    if kind not in ("epsilon", "v_prediction"):
        raise ProxytuneError(
            "ModelMismatch",
            what="The teacher's objective is not known to the trainer",
            given=f"prediction_type {kind} in {part_folder(base, 'scheduler')}",
            allowed="epsilon, v_prediction",
            remedy="choose an SDXL model of one of these objectives",
        )
    return schedule


def _vae_class() -> Any:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return AutoencoderKL


def _unet_class() -> Any:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return UNet2DConditionModel
