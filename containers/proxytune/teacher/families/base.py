"""The base class of the teacher families; trainer, adapter and generator are the same for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.contract.entry_points import load_entry_point
from proxytune.teacher.conditioning import SizeAndCrop
from proxytune.teacher.kohya_export import OriginalWeight
from proxytune.teacher.loading import load_named
from proxytune.teacher.objectives import Objective
from proxytune.teacher.text import PromptEmbeddings, TextEncoders, load_encoders, part_endings

# The layers that carry an adapter in transformer blocks over image and text: `attention` as in diffusers' SD3
# DreamBooth-LoRA script, `all` as in its FLUX script.
JOINT_ATTENTION = (
    *("attn.add_k_proj", "attn.add_q_proj", "attn.add_v_proj", "attn.to_add_out"),
    *("attn.to_k", "attn.to_out.0", "attn.to_q", "attn.to_v"),
)
JOINT_TARGETS: Mapping[str, Sequence[str]] = {
    "attention": JOINT_ATTENTION,
    "all": (
        *JOINT_ATTENTION,
        *("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2"),
    ),
}


@dataclass(frozen=True)
class DenoisingInputs:
    """The inputs of denoising one batch of images.

    Attributes:
        prompts: one per image.
        empty: the empty prompt, for guidance; None where guidance does not need it.
        noise: (B, C, h, w) float32, on the CPU.
        generators: one per image, for samplers that add more noise.
        size: side of the images in pixels.
        steps, guidance: the sampler's.
    """

    prompts: PromptEmbeddings
    empty: PromptEmbeddings | None
    noise: Tensor
    generators: list[torch.Generator]
    size: int
    steps: int
    guidance: float


class DiffusionFamily(ABC):
    """Everything that is particular to a family.

    Attributes:
        network: name of the network that is trained: its folder, and the prefix of its adapter's keys.
        network_type, lora_type, pipeline_type: `module:Class` of diffusers' network, of what writes and reads
            its adapters, and of its pipeline; imported only when used.
        text_encoders: classes of transformers for `text_encoder`, `text_encoder_2` and so on.
        targets: layers that carry an adapter, by the ends of their names; keys are the setting `adapted`.
        architecture: its name in the metadata of adapters (SAI model spec).
        vae_float32: True when the VAE overflows in half precision.
        patch: latents along one side of one of the network's tokens.
        blocks: classes of the blocks that the network repeats most, which are worth compiling.
    """

    network: str
    network_type: str
    lora_type: str
    pipeline_type: str
    text_encoders: Sequence[str]
    targets: Mapping[str, Sequence[str]]
    architecture: str
    vae_float32: bool
    patch: int
    blocks: Sequence[str]

    def network_class(self) -> Any:
        """Return diffusers' class of the network."""
        return load_entry_point(self.network_type)

    def lora_loader(self) -> Any:
        """Return diffusers' class that writes and reads this family's adapters."""
        return load_entry_point(self.lora_type)

    def load_text_encoders(self, base: Path, dtype: torch.dtype) -> TextEncoders:
        """Load the text encoders, on the CPU.

        Raises:
            ProxytuneError: ModelMissing, ModelMismatch.
        """
        return load_encoders(base, self.text_encoders, dtype)

    @abstractmethod
    def encode_prompts(self, encoders: TextEncoders, prompts: list[str]) -> PromptEmbeddings:
        """Encode prompts; the embeddings of each do not depend on the others."""

    @abstractmethod
    def objective(self, base: Path, snr_gamma: float | None) -> Objective:
        """Return the objective that the network was trained with.

        Raises:
            ProxytuneError: ModelMismatch; HyperparameterInvalid where `snr_gamma` does not apply.
        """

    @abstractmethod
    def original_weight(self, layer: str, config: Any) -> OriginalWeight:
        """Find a layer's weight in the checkpoint that the model's authors published.

        Args:
            layer: its name in the network.
            config: the network's.
        """

    def latent_channels(self, network: Any) -> int:
        """Return the number of channels of the latents."""
        return int(network.config.in_channels)

    @abstractmethod
    def predict(
        self,
        network: Any,
        latents: Tensor,
        timesteps: Tensor,
        prompts: PromptEmbeddings,
        crops: list[SizeAndCrop],
    ) -> Tensor:
        """Compute the network's prediction for noisy latents, (B, C, h, w) like these.

        Args:
            timesteps: (B,) as `NoisySample.timesteps`.
            crops: one per image; only SDXL's network reads them.
        """

    def pipeline(self, base: Path, network: Any, vae: Any) -> Any:
        """Make diffusers' pipeline without text encoders."""
        endings = part_endings(len(self.text_encoders))
        left_out = [part + ending for part in ("text_encoder", "tokenizer") for ending in endings]
        return load_entry_point(self.pipeline_type)(
            **{self.network: network},
            vae=vae,
            scheduler=load_named(base, "scheduler"),
            **dict.fromkeys(left_out),
            **self.pipeline_options(base),
        )

    def pipeline_options(self, base: Path) -> dict[str, Any]:
        """Return the options of diffusers' pipeline that only this family has; none by default."""
        del base
        return {}

    def size_options(self, size: int) -> dict[str, Any]:
        """Return the pipeline's arguments about size and crop; none by default.

        With them the network reads the numbers that `predict` gives it for `SizeAndCrop.whole`.

        Args:
            size: side of the image in pixels.
        """
        del size
        return {}

    def needs_empty_prompt(self, pipeline: Any, guidance: float) -> bool:
        """Return True when denoising with this guidance needs the empty prompt."""
        return guidance > 1

    def denoise(self, pipeline: Any, inputs: DenoisingInputs) -> Tensor:
        """Generate the latents of images, (B, C, h, w), normalised."""
        empty = inputs.empty
        return self.run_pipeline(
            pipeline,
            inputs,
            inputs.noise,
            negative_prompt_embeds=None if empty is None else empty.states,
            negative_pooled_prompt_embeds=None if empty is None else empty.pooled,
            **self.size_options(inputs.size),
        )

    def run_pipeline(self, pipeline: Any, inputs: DenoisingInputs, noise: Tensor, **more: Any) -> Tensor:
        """Run diffusers' pipeline and return its latents, in the form that the noise has.

        Args:
            noise: that of the inputs, in the network's form.
            more: arguments of the pipeline that only some families have.
        """
        network = getattr(pipeline, self.network)
        latents: Tensor = pipeline(
            prompt_embeds=inputs.prompts.states,
            pooled_prompt_embeds=inputs.prompts.pooled,
            latents=noise.to(network.device, network.dtype),
            generator=inputs.generators,
            height=inputs.size,
            width=inputs.size,
            num_inference_steps=inputs.steps,
            guidance_scale=inputs.guidance,
            output_type="latent",
            **more,
        ).images
        return latents
