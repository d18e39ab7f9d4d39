"""Drawing with SDXL: diffusers' own pipeline, one stream of noise a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from proxytune.proxies.chunk import Chunk, PictureRequest, invalid
from proxytune.teacher.fusing import FusedAdapter
from proxytune.teacher.loading import load_named, load_part, model_index
from proxytune.teacher.sdxl import restore_latents
from proxytune.teacher.sdxl_text import encode_prompts, load_text_encoders


class SDXLMaker:
    """A `proxies.maker.PictureMaker`."""

    sampler_kind = "diffusion"

    def load(self, base: Path, adapter: Path | None, device: torch.device) -> None:
        """Load the pipeline and the adapter.

        Raises:
            ProxytuneError: ModelMissing, ModelMismatch.
        """
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
        from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
            StableDiffusionXLPipeline,
        )

        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        self._device = device
        self._text = load_text_encoders(base, dtype, device)
        unet = load_part(UNet2DConditionModel, base, "unet", dtype).to(device)
        self._adapter = FusedAdapter(unet, adapter, "unet") if adapter is not None else None
        self._pipeline: Any = StableDiffusionXLPipeline(
            # float32 always: SDXL's VAE overflows in half precision (diffusers issues 4325, 4820).
            vae=load_part(AutoencoderKL, base, "vae", torch.float32).to(device),
            text_encoder=self._text.encoders[0],
            text_encoder_2=self._text.encoders[1],
            tokenizer=self._text.tokenizers[0],
            tokenizer_2=self._text.tokenizers[1],
            unet=unet,
            scheduler=load_named(base, "scheduler"),
            force_zeros_for_empty_prompt=bool(model_index(base).get("force_zeros_for_empty_prompt", True)),
            add_watermarker=False,
        )
        self._pipeline.set_progress_bar_config(disable=True)
        self._embeddings: dict[str, tuple[Tensor, Tensor]] = {}

    @torch.no_grad()
    def draw(self, chunk: Chunk) -> list[Image.Image]:
        """The chunk's pictures.

        Raises:
            ProxytuneError: HyperparameterInvalid for a size that the VAE cannot make, or for variant `tuned`
                without an adapter.
        """
        self._check(chunk)
        if self._adapter is not None:
            self._adapter.switch(tuned=chunk.variant == "tuned")
        return [picture for batch in chunk.batches() for picture in self._draw_batch(batch, chunk)]

    def _draw_batch(self, batch: tuple[PictureRequest, ...], chunk: Chunk) -> list[Image.Image]:
        generators = [torch.Generator("cpu").manual_seed(request.seed) for request in batch]
        unet = self._pipeline.unet
        side = chunk.size // self._pipeline.vae_scale_factor
        shape = (1, unet.config.in_channels, side, side)
        # Drawn here in float32 on the CPU: the same noise whatever device and type the U-Net has.
        noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
        states, pooled = zip(*(self._embed(request.prompt) for request in batch), strict=True)
        latents = self._pipeline(
            prompt_embeds=torch.cat(states),
            pooled_prompt_embeds=torch.cat(pooled),
            latents=noise.to(self._device, unet.dtype),
            generator=generators,
            height=chunk.size,
            width=chunk.size,
            num_inference_steps=chunk.sampler["steps"],
            guidance_scale=chunk.sampler["guidance"],
            output_type="latent",
            **self._negative(chunk.sampler["guidance"], len(batch)),
        ).images
        # One at a time: decoding is the peak of memory at 1024 pixels.
        return [self._decode(row[None]) for row in latents]

    def _decode(self, latents: Tensor) -> Image.Image:
        vae = self._pipeline.vae
        values = vae.decode(restore_latents(latents.float(), vae.config), return_dict=False)[0]
        pixels = ((values[0] / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
        return Image.fromarray(np.asarray(pixels.permute(1, 2, 0).cpu()))

    def _negative(self, guidance: float, count: int) -> dict[str, Tensor]:
        """The empty prompt, for models that do not use zeros in its place."""
        if guidance <= 1 or self._pipeline.config.force_zeros_for_empty_prompt:
            return {}
        states, pooled = self._embed("")
        return {
            "negative_prompt_embeds": states.repeat(count, 1, 1),
            "negative_pooled_prompt_embeds": pooled.repeat(count, 1),
        }

    def _embed(self, prompt: str) -> tuple[Tensor, Tensor]:
        if prompt not in self._embeddings:
            self._embeddings[prompt] = encode_prompts(self._text, [prompt])
        return self._embeddings[prompt]

    def _check(self, chunk: Chunk) -> None:
        # The pipeline wants a multiple of 8 as well, whatever the VAE's stride.
        stride = max(8, self._pipeline.vae_scale_factor)
        if chunk.size % stride:
            raise invalid(
                "The picture size does not fit the VAE",
                given=str(chunk.size),
                allowed=f"multiples of {stride}",
            )
        if chunk.variant == "tuned" and self._adapter is None:
            raise invalid("Tuned pictures were asked for, but there is no adapter")
