"""The teacher's VAE: four pixels a latent, eight channels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dev.pretraining.autoencoding import EVALUATED, in_batches, psnr, reconstruction_loss
from dev.pretraining.corpus import Corpus
from proxytune.drawn_world.render import SIZE

CHANNELS = 8
STRIDE = 4
# Weight of the pull of each latent towards the normal distribution.
PULL = 1e-3


def make_vae() -> Any:
    """An AutoencoderKL with fresh weights."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return AutoencoderKL(
        sample_size=SIZE,
        block_out_channels=(32, 64, 128),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=CHANNELS,
        norm_num_groups=8,
        scaling_factor=1.0,
    ).to(memory_format=torch.channels_last)


@torch.no_grad()
def fold(vae: Any, shift: Tensor, scale: Tensor) -> None:
    """Fold the standardisation of the latents into the convolutions next to them.

    Whoever reads this AutoencoderKL then gets latents of mean 0 and deviation 1 with nothing to apply:
    diffusers' own SDXL pipeline knows `latents_mean` and `latents_std` for four channels only.

    Args:
        vae: changed in place; both of its 1 x 1 convolutions are there.
        shift, scale: (C,) mean and deviation of each latent channel.
    """
    channels = len(shift)
    encoding, decoding = vae.quant_conv, vae.post_quant_conv
    # The first half of the channels are means, the second logarithms of variances.
    encoding.weight[:channels] /= scale[:, None, None, None]
    encoding.bias[:channels] = (encoding.bias[:channels] - shift) / scale
    encoding.bias[channels:] -= 2 * scale.log()
    decoding.bias += decoding.weight[:, :, 0, 0] @ shift
    decoding.weight *= scale[None, :, None, None]


class VAETrainable:
    """A `loop.Trainable`."""

    def __init__(self, corpus: Corpus, batch: int) -> None:
        self.module: nn.Module = make_vae()
        self._corpus, self._batch = corpus, batch

    def loss(self, step: int, rng: torch.Generator) -> Tensor:
        """Reconstruction, and the divergence of the latents from the normal distribution."""
        vae: Any = self.module
        pictures = self._corpus.pictures(self._corpus.sample(self._batch, rng))
        latents = vae.encode(pictures).latent_dist
        mean, log_variance = latents.mean.float(), latents.logvar.float()
        sample = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=rng)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        return reconstruction_loss(vae.decode(sample).sample, pictures) + PULL * divergence

    def evaluate(self, module: nn.Module) -> dict[str, float]:
        """PSNR of held-out pictures, encoded to the mean and decoded."""
        vae: Any = module
        scores, counts = [], []
        for numbers in in_batches(self._corpus.held_out[:EVALUATED]):
            pictures = self._corpus.pictures(numbers)
            scores.append(psnr(vae.decode(vae.encode(pictures).latent_dist.mode()).sample, pictures))
            counts.append(len(numbers))
        return {"psnr": weighted(scores, counts)}


def weighted(scores: list[float], counts: list[int]) -> float:
    """Mean of scores, each of so many pictures."""
    return sum(score * count for score, count in zip(scores, counts, strict=True)) / sum(counts)
