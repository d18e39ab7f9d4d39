"""Training a LoRA on the network of any teacher family, on the references.

What never changes is computed once: prompts are encoded and the text encoders freed before the network is
loaded; the VAE's output for a crop is stored as a distribution, and each use takes a new sample of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image
from torch import Tensor
from torch.nn import Parameter

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.finite import finite
from proxytune.teacher import token_word as token_words
from proxytune.teacher.adapter import add_adapter, save_adapter
from proxytune.teacher.conditioning import SizeAndCrop
from proxytune.teacher.config import TrainConfig, ValidationImage
from proxytune.teacher.denoising import generate_batch, quiet_pipeline
from proxytune.teacher.families.base import DiffusionFamily
from proxytune.teacher.kohya_export import write_kohya
from proxytune.teacher.latents import LatentSource, load_vae, stride
from proxytune.teacher.loading import load_part
from proxytune.teacher.lora_file import read_layers
from proxytune.teacher.merging import merged_on_cpu
from proxytune.teacher.photos import PhotoSet
from proxytune.teacher.quantization import quantize_blocks
from proxytune.training import compilation, memory
from proxytune.training.activation_memory import kept_bytes
from proxytune.training.device import compute_dtype
from proxytune.training.loop import Trainable
from proxytune.training.states import untouched
from proxytune.training.transfer import index_tensor, to_device


class TeacherTrainer(Trainable):
    """Ready for `training.loop.run` after `prepare`.

    Args:
        family: what is particular to the model.

    Attributes:
        memory: how steps are computed, after `prepare`.
    """

    memory: memory.MemoryPlan

    def __init__(self, family: DiffusionFamily, config: TrainConfig) -> None:
        self.family, self._config = family, config
        self._compiled: list[torch.nn.Module] = []

    def prepare(
        self, base: Path, photos: PhotoSet, device: torch.device, *, dtype: torch.dtype | None = None
    ) -> Self:
        """Load the model, encode prompts and photos, put a new adapter on the network.

        The adapter's initial values come from torch's global random state: seed it first.

        Args:
            base: the model folder, in diffusers' layout.
            device: where to train.
            dtype: of the frozen network and text encoders; None is bfloat16 on a GPU, float32 elsewhere. The
                adapter is always float32.

        Raises:
            ProxytuneError: TokenWordUnusable, ModelMissing, ModelMismatch, ModelNotFinite,
                HyperparameterInvalid.
        """
        family, config = self.family, self._config
        dtype = dtype or compute_dtype(device)
        self._base, self._photos, self._device = base, photos, device
        self._encode_prompts(dtype)
        self._objective = family.objective(base, config.snr_gamma)
        self.latents = LatentSource(load_vae(base, dtype, device, float32=family.vae_float32))
        self._check_size(photos.size)
        self.latents.encode(photos)
        if config.class_images is not None:
            self.latents.encode(config.class_images.images)
        self.network = self._load_network(dtype).to(device).train()
        # A new adapter changes nothing: an invalid number here comes from the base model, not from training.
        finite(
            self._predict_fixed(),
            f"network {type(self.network).__name__}",
            "one fixed noise, before the first step",
        )
        self._plan_memory()
        return self

    def named_parameters(self) -> Iterable[tuple[str, Parameter]]:
        """Return the adapter's parameters."""
        return [(name, value) for name, value in self.network.named_parameters() if value.requires_grad]

    def loss(self, step: int, rng: torch.Generator) -> Tensor:
        """Compute the mean weighted squared error of the subject's images and, if any, of the class images.

        Where photos have masks, an error counts by its latent's share of the subject. Outside of the subject
        the target is what the network predicted before it was tuned. Class images have no masks.
        Each of several processes samples all random numbers, and computes its own share of the images.
        Nothing here waits for the GPU: shapes and indices are known on the CPU, and what is sampled there is
        copied by `to_device`.
        """
        config, count = self._config, self._config.batch_size
        positions = range(step * count, (step + 1) * count)
        samples = [self._sample(self._photos, position, rng) for position in positions]
        prompts = [self._prompt_at(position) for position in positions]
        if config.class_images is not None:
            samples += [self._sample(config.class_images.images, position, rng) for position in positions]
            prompts += [len(self._embeddings) - 1] * count
        latents = torch.cat([latents for latents, *_ in samples])
        noise = to_device(torch.randn(latents.shape, generator=rng), self._device)
        noisy = self._objective.add_noise(latents, noise, rng)
        own = list(range(count))[config.processes.share(count)]
        rows = own if config.class_images is None else own + [count + row for row in own]
        embeddings = self._embeddings.select([prompts[row] for row in rows])
        crops = [samples[row][1] for row in rows]
        at = index_tensor(rows, self._device)
        inputs = (noisy.latents[at], noisy.timesteps[at], embeddings, crops)
        prediction = self.family.predict(self.network, *inputs).float()
        squares = (prediction - noisy.target[at]).square()
        if self._photos.masked:
            subject, background = torch.stack([samples[row][2] for row in rows], dim=1)[:, :, None]
            # Errors of no weight alone would leave the background free, and the subject's colours fill it.
            kept = (prediction - self._untuned(*inputs)).square()
            squares = subject * squares + background * kept
        errors = squares.flatten(1).mean(1) * noisy.weights[at]
        if config.class_images is None:
            return errors.mean()
        return errors[: len(own)].mean() + config.class_images.weight * errors[len(own) :].mean()

    def save_memory(self) -> bool:
        """Recompute activations; returns False where they are already."""
        plan = memory.tighter(self.memory, 1)
        if plan is None:
            return False
        self.memory = plan
        self.network.enable_gradient_checkpointing()
        return True

    @property
    def image_size(self) -> int:
        """The side of the images in pixels."""
        return self._photos.size

    @torch.no_grad()
    def generate_images(
        self, images: Sequence[ValidationImage], sampler: Mapping[str, Any]
    ) -> list[Image.Image]:
        """Generate images in one batch, with the adapter as it is now; leaves the training as it was.

        On a CPU the adapter is in the weights meanwhile, as it is when proxies are generated.

        Args:
            images: their prompts are among the config's `validation_prompts`; up to rounding, an image
                depends on nothing but its seed.
            sampler: its `steps` and `guidance`.
        """
        family, embeddings = self.family, self._validation_embeddings
        pipeline = quiet_pipeline(family, self._base, self.network, self.latents.vae)
        empty = embeddings.select([-1]) if family.needs_empty_prompt(pipeline, sampler["guidance"]) else None
        own = embeddings.select([self._config.validation_prompts.index(image.prompt) for image in images])
        # Denoising has other shapes than training, for a few images: not worth compiling for.
        with untouched(), compilation.eagerly(), merged_on_cpu(self.network):
            self.network.eval()
            seeds = [image.seed for image in images]
            generated = generate_batch(
                family, pipeline, own, empty, seeds, size=self._photos.size, sampler=sampler
            )
            pictures = list(generated)
            self.network.train()
        return pictures

    @torch.no_grad()
    def restore(self, adapter: Mapping[str, Tensor]) -> None:
        """Set the adapter's parameters to those of a checkpoint."""
        for name, value in self.named_parameters():
            value.copy_(adapter[name])

    def save(self, folder: Path, metadata: Mapping[str, str] | None = None) -> None:
        """Write the adapter's files and prove that reading it back gives the trained teacher.

        Args:
            metadata: entries of the files' headers.

        Raises:
            ProxytuneError: ModelMismatch when it does not; ModelNotFinite.
        """
        family, network, metadata = self.family, self.network, metadata or {}
        compilation.undo(self._compiled)
        save_adapter(network, family.network, family.lora_loader(), folder, self._probe, metadata)
        layers = read_layers(folder, family.network)
        write_kohya(
            folder, layers, lambda layer: family.original_weight(layer, network.config), dict(metadata)
        )

    def compile(self, backend: str = "inductor") -> None:
        """Compile the blocks that the network repeats, for this training's one shape."""
        self._compiled = compilation.layers_of(self.network, self.family.blocks)
        compilation.compile_layers(self._compiled, backend=backend, fixed=True)

    def _encode_prompts(self, dtype: torch.dtype) -> None:
        """Encode all prompts; the encoders are freed on return."""
        family, config = self.family, self._config
        encoders = family.load_text_encoders(self._base, dtype).to(self._device)
        captions = dict.fromkeys(caption for caption in self._photos.captions if caption is not None)
        self._prompts = list(dict.fromkeys([*config.prompts, *captions]))
        token_words.check(config.token_word, self._prompts, encoders.tokenizers)
        # The prompts of class and validation images follow those of the photos, only where they are used.
        classes = [] if config.class_images is None else [config.class_images.prompt]
        self._embeddings = family.encode_prompts(encoders, [*self._prompts, *classes])
        if config.validation_prompts:
            self._validation_embeddings = family.encode_prompts(encoders, [*config.validation_prompts, ""])

    def _load_network(self, dtype: torch.dtype) -> Any:
        """Load the frozen network, on the CPU, with a new adapter."""
        family, config = self.family, self._config
        network = load_part(family.network_class(), self._base, family.network, dtype)
        if config.bits is not None:
            blocks = compilation.layers_of(network, family.blocks)
            count = quantize_blocks(blocks, config.bits)
            print(f"{count} layers of the frozen network are stored in {config.bits} bits", flush=True)
        add_adapter(network, rank=config.rank, alpha=config.alpha, targets=family.targets[config.adapted])
        return network

    def _plan_memory(self) -> None:
        """Decide by memory and steps on activation checkpointing and compilation, and log the plan."""
        network, config = self.network, self._config
        self.memory = memory.plan(
            network,
            self.latents.vae.parameters(),
            self.count_activations,
            memory.gpu_bytes(self._device),
            compiled=compilation.possible(self._device) and config.steps >= compilation.WORTHWHILE_STEPS,
        )
        if self.memory.checkpointing:
            network.enable_gradient_checkpointing()
        if self.memory.compiled:
            self.compile()
        print(self.memory, flush=True)

    def count_activations(self) -> int:
        """Count the bytes that a step keeps for its backward pass."""
        with untouched():
            return kept_bytes(self.network, lambda: self.loss(0, torch.Generator()))

    @torch.no_grad()
    def _untuned(self, *inputs: Any) -> Tensor:
        """Compute the prediction of the network without its adapter, float32."""
        self.network.disable_adapters()
        try:
            return self.family.predict(self.network, *inputs).float()
        finally:
            self.network.enable_adapters()

    def _prompt_at(self, position: int) -> int:
        """Return the prompt of a training image: its photo's caption, else the instance prompts in turn."""
        caption = self._photos.captions[self._photos.photo_at(position, self._config.seed)]
        prompts = self._config.prompts
        return self._prompts.index(prompts[position % len(prompts)] if caption is None else caption)

    def _sample(
        self, photos: PhotoSet, position: int, rng: torch.Generator
    ) -> tuple[Tensor, SizeAndCrop, Tensor]:
        """Sample the latents of one training image; returned with its size and crop, and its weights."""
        photo = photos.photo_at(position, self._config.seed)
        crop = photos.random_crop(photo, rng)
        return (
            self.latents.sample(photos, crop, rng),
            photos.conditioning(crop),
            self.latents.weights(photos, crop),
        )

    def _probe(self) -> Tensor:
        """Compute the network's prediction for one fixed noise, float32 on the CPU."""
        return self._predict_fixed().float().cpu()

    @torch.no_grad()
    def _predict_fixed(self) -> Tensor:
        was_training = self.network.training
        self.network.eval()
        size = self._photos.size
        side = size // stride(self.latents.vae)
        shape = (1, self.family.latent_channels(self.network), side, side)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(self._device)
        timesteps = torch.tensor([500], device=self._device)
        whole = [SizeAndCrop.whole(size)]
        prediction = self.family.predict(self.network, noise, timesteps, self._embeddings.select([0]), whole)
        self.network.train(was_training)
        return prediction

    def _check_size(self, size: int) -> None:
        multiple = stride(self.latents.vae) * self.family.patch
        if size % multiple:
            raise ProxytuneError(
                "HyperparameterInvalid",
                what="The image size does not fit the teacher",
                given=str(size),
                allowed=f"a multiple of {multiple}",
                remedy="give the model's recipe in lib/core/catalogue/data/models.json such a size",
            )
