"""Images as the networks see them: the VAE's latents, normalised, sampled from its stored output."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.contract.finite import finite
from proxytune.teacher.loading import load_part
from proxytune.teacher.photos import Crop, PhotoSet
from proxytune.training.transfer import to_device


class LatentSource:
    """Latents of photos' crops. The VAE encodes each crop once; its output is stored as a distribution.

    Args:
        vae: an AutoencoderKL on the device to use.
    """

    def __init__(self, vae: Any) -> None:
        self.vae = vae
        self._parameters: dict[tuple[int, Crop], Tensor] = {}
        self._weights: dict[tuple[int, Crop], Tensor] = {}

    def encode(self, photos: PhotoSet) -> None:
        """Encode every crop that can be sampled, so that no step has to, which would wait for the result.

        A VAE that overflows is found here, before the first step.

        Raises:
            ProxytuneError: ModelNotFinite.
        """
        for photo in range(len(photos)):
            for crop in photos.crops(photo):
                self._distribution(photos, crop)
                self.weights(photos, crop)

    def sample(self, photos: PhotoSet, crop: Crop, rng: torch.Generator) -> Tensor:
        """Sample latents of this crop, float32, normalised for the network: (1, C, h, w).

        Raises:
            ProxytuneError: ModelNotFinite.
        """
        mean, log_variance = self._distribution(photos, crop).chunk(2, dim=1)
        # The clamp is that of diffusers' DiagonalGaussianDistribution.
        spread = torch.exp(0.5 * log_variance.clamp(-30.0, 20.0))
        sample = mean + spread * to_device(torch.randn(mean.shape, generator=rng), mean.device)
        return normalise_latents(sample, self.vae.config)

    def weights(self, photos: PhotoSet, crop: Crop) -> Tensor:
        """Return `PhotoSet.weights` of this crop, (2, h, w), on the latents' device."""
        key = (id(photos), crop)
        if key not in self._weights:
            side = photos.size // stride(self.vae)
            self._weights[key] = photos.weights(crop, side).to(self.vae.device)
        return self._weights[key]

    @torch.no_grad()
    def _distribution(self, photos: PhotoSet, crop: Crop) -> Tensor:
        """Return (1, 2 C, h, w) float32: means and logarithms of variances."""
        key = (id(photos), crop)
        if key not in self._parameters:
            pixels = photos.pixels(crop)[None].to(self.vae.device, self.vae.dtype)
            output = self.vae.encode(pixels).latent_dist.parameters
            image = f"image {crop.photo} of {len(photos)}, counted from 0"
            self._parameters[key] = finite(output, f"VAE {type(self.vae).__name__}", image).float()
        return self._parameters[key]

    def __len__(self) -> int:
        return len(self._parameters)


def load_vae(base: Path, dtype: torch.dtype, device: torch.device, *, float32: bool) -> Any:
    """Load a model folder's VAE.

    Args:
        float32: True for a VAE that overflows in half precision; it is then loaded in float32.

    Raises:
        ProxytuneError: ModelMissing, ModelMismatch.
    """
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return load_part(AutoencoderKL, base, "vae", torch.float32 if float32 else dtype).to(device)


def stride(vae: Any) -> int:
    """Return the pixels along one side of a latent."""
    return int(2 ** (len(vae.config.block_out_channels) - 1))


def normalise_latents(latents: Tensor, config: Any) -> Tensor:
    """Convert the VAE's latents to the network's: all scale, some also shift, each channel or all alike."""
    shift, scale = _affine(latents, config)
    return (latents - shift) * scale


def restore_latents(latents: Tensor, config: Any) -> Tensor:
    """Invert `normalise_latents`."""
    shift, scale = _affine(latents, config)
    return latents / scale + shift


def _affine(latents: Tensor, config: Any) -> tuple[Tensor | float, Tensor | float]:
    mean, deviation = config.get("latents_mean"), config.get("latents_std")
    if mean is None or deviation is None:
        return config.get("shift_factor") or 0.0, config["scaling_factor"]
    shift, spread = (_channels(tuple(each), latents.device) for each in (mean, deviation))
    return shift, config["scaling_factor"] / spread


@lru_cache(maxsize=8)
def _channels(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Return (1, C, 1, 1), cached on the device, as every step needs the same; do not change it."""
    return torch.tensor(values, device=device).view(1, -1, 1, 1)
