"""The diffusion teacher: a LoRA on a frozen network, trained on the references by its own objective.

What never changes is computed once: prompts are encoded and the text encoders freed before the network is
loaded; the VAE's answer to a crop is kept as a distribution, and a fresh sample is drawn at each use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import Parameter

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.finite import finite
from proxytune.teacher import memory
from proxytune.teacher import token_word as token_words
from proxytune.teacher.adapter import add_adapter, save_adapter
from proxytune.teacher.config import Lesson
from proxytune.teacher.denoising import draw_batch
from proxytune.teacher.exports import write_kohya
from proxytune.teacher.families.base import DiffusionFamily, View
from proxytune.teacher.latents import LatentSource, stride
from proxytune.teacher.loading import load_part, part_folder
from proxytune.teacher.lora_file import read_layers
from proxytune.teacher.photos import PhotoSet
from proxytune.teacher.quantization import quantize_blocks
from proxytune.training import activation_checkpointing, compilation
from proxytune.training.device import compute_dtype
from proxytune.training.states import untouched
from proxytune.training.transfer import index_tensor, to_device


class DiffusionTeacher:
    """A `lesson.Teacher`, and a `training.loop.Trainable` after `prepare`.

    Args:
        family: what is particular about the model.
        base: the model folder, in diffusers' layout.
        device: where to train.
        dtype: of the frozen network and text encoders; None is bfloat16 on a GPU, float32 elsewhere. The
            adapter is float32 always.
    """

    def __init__(
        self, family: DiffusionFamily, base: Path, device: torch.device, dtype: torch.dtype | None = None
    ) -> None:
        self._family, self._base, self._device = family, base, device
        self._blocks: list[torch.nn.Module] = []
        self._dtype = dtype or compute_dtype(device)

    def prepare(self, photos: PhotoSet, lesson: Lesson) -> DiffusionTeacher:
        """As `lesson.Teacher.prepare`.

        Raises:
            ProxytuneError: TokenWordUnusable, ModelMissing, ModelMismatch, ModelNotFinite,
                HyperparameterInvalid.
        """
        family, base = self._family, self._base
        self._photos, self._lesson = photos, lesson
        encoders = family.load_texts(base, self._dtype).to(self._device)
        token_words.check(lesson.token_word, lesson.prompts, encoders.tokenizers)
        # After the lesson's own: the class's prompt, and those of samples, only where they are used.
        classes = [] if lesson.prior is None else [lesson.prior.prompt]
        self._texts = family.encode(encoders, [*lesson.prompts, *classes])
        if lesson.samples:
            self._sample_texts = family.encode(encoders, [*lesson.samples, ""])
        del encoders
        self._objective = family.objective(base, lesson.snr_gamma)
        self.latents = LatentSource(load_vae(family, base, self._dtype, self._device))
        self._check_size(photos.size)
        self.latents.look(photos)
        if lesson.prior is not None:
            self.latents.look(lesson.prior.pictures)
        network = load_part(family.network_class(), base, family.network, self._dtype)
        if lesson.bits is not None:
            blocks = compilation.layers_of(network, family.blocks)
            count = quantize_blocks(blocks, lesson.bits)
            print(f"{count} layers of the frozen network are held in {lesson.bits} bits", flush=True)
        add_adapter(network, rank=lesson.rank, alpha=lesson.alpha, targets=family.targets[lesson.adapted])
        self.network = network.to(self._device).train()
        # A fresh adapter changes nothing: what is wrong now is the base model's, not the training's.
        finite(self._answer(), f"network {type(network).__name__}", "one fixed noise, before the first step")
        self._plan_memory()
        return self

    def named_parameters(self) -> Iterable[tuple[str, Parameter]]:
        """The adapter's parameters."""
        return [(name, value) for name, value in self.network.named_parameters() if value.requires_grad]

    def loss(self, step: int, draws: torch.Generator) -> Tensor:
        """Mean of the pictures' weighted squared errors, of the subject and of what is to be preserved.

        Of several processes each makes all draws, and computes its own share of the pictures. Nothing here
        waits for the GPU: what decides shapes and rows is known on the CPU, what is sampled there is copied
        by `to_device`.
        """
        lesson, count = self._lesson, self._lesson.batch_size
        slots = range(step * count, (step + 1) * count)
        pairs = [self._draw(self._photos, slot, draws) for slot in slots]
        prompts = [slot % len(lesson.prompts) for slot in slots]
        if lesson.prior is not None:
            pairs += [self._draw(lesson.prior.pictures, slot, draws) for slot in slots]
            prompts += [len(lesson.prompts)] * count
        latents = torch.cat([latents for latents, _ in pairs])
        noise = to_device(torch.randn(latents.shape, generator=draws), self._device)
        noised = self._objective.noised(latents, noise, draws)
        own = list(range(count))[lesson.processes.share(count)]
        rows = own if lesson.prior is None else own + [count + row for row in own]
        texts, views = self._texts.pick([prompts[row] for row in rows]), [pairs[row][1] for row in rows]
        at = index_tensor(rows, self._device)
        answer = self._family.answer(self.network, noised.latents[at], noised.times[at], texts, views)
        errors = (answer.float() - noised.target[at]).square().flatten(1).mean(1)
        errors = errors * noised.weights[at]
        if lesson.prior is None:
            return errors.mean()
        return errors[: len(own)].mean() + lesson.prior.weight * errors[len(own) :].mean()

    @torch.no_grad()
    def sample(self, number: int, seed: int, sampler: Mapping[str, Any]) -> Image.Image:
        """As `lesson.Teacher.sample`."""
        family, texts = self._family, self._sample_texts
        pipeline = family.pipeline(self._base, self.network, self.latents.vae)
        pipeline.set_progress_bar_config(disable=True)
        empty = texts.pick([-1]) if family.needs_empty(pipeline, sampler["guidance"]) else None
        # Drawing has other shapes than training, for a few pictures: not worth compiling for.
        with untouched(), compilation.eagerly():
            self.network.eval()
            (picture,) = draw_batch(
                family, pipeline, texts.pick([number]), empty, [seed], size=self._photos.size, sampler=sampler
            )
            self.network.train()
        return picture

    @property
    def architecture(self) -> str:
        """As `lesson.Teacher.architecture`."""
        return self._family.architecture

    @property
    def weights(self) -> Path:
        """As `lesson.Teacher.weights`."""
        return part_folder(self._base, self._family.network)

    def save(self, folder: Path, about: Mapping[str, str] | None = None) -> None:
        """As `lesson.Teacher.save`.

        Raises:
            ProxytuneError: ModelMismatch when what was written does not give the trained network back.
        """
        family, network, about = self._family, self.network, about or {}
        compilation.undo(self._blocks)
        save_adapter(network, family.network, family.loader(), folder, self._probe, about)
        layers = read_layers(folder, family.network)
        write_kohya(folder, layers, lambda layer: family.place(layer, network.config), dict(about))

    def _plan_memory(self) -> None:
        """Decide by memory and steps whether activations are kept and blocks compiled, and say so."""
        network, lesson = self.network, self._lesson
        count = lesson.batch_size // lesson.processes.count * (1 if lesson.prior is None else 2)
        one = self._family.activations(network.config, self._photos.size, self._texts.states.shape[1])
        batch = memory.Activations(count * one.kept, count * one.anew)
        available = activation_checkpointing.gpu_bytes(self._device)
        compiled = compilation.possible(self._device) and lesson.steps >= compilation.WORTHWHILE_STEPS
        others = self.latents.vae.parameters()
        plan = memory.plan(network.parameters(), others, batch, available, compiled=compiled)
        if plan.anew and available is not None:
            activation_checkpointing.log_enabled(batch.kept, available)
            network.enable_gradient_checkpointing()
        if compiled:
            self.compile()
        print(plan, flush=True)

    def compile(self, backend: str = "inductor") -> None:
        """Compile the blocks that the network repeats, for this training's one shape."""
        self._blocks = compilation.layers_of(self.network, self._family.blocks)
        compilation.compile_layers(self._blocks, backend=backend, fixed=True)

    def _draw(self, photos: PhotoSet, slot: int, draws: torch.Generator) -> tuple[Tensor, View]:
        """The latents of one training picture, and what part of which photo they are."""
        photo = photos.photo_of(slot, self._lesson.seed)
        crop = photos.draw_crop(photo, draws)
        view = View(photos.original_sizes[photo], (crop.top, crop.left), photos.size)
        return self.latents.sample(photos, crop, draws), view

    def _probe(self) -> Tensor:
        """The network's answer to one fixed noise, float32 on the CPU."""
        return self._answer().float().cpu()

    @torch.no_grad()
    def _answer(self) -> Tensor:
        was_training = self.network.training
        self.network.eval()
        size = self._photos.size
        side = size // stride(self.latents.vae)
        shape = (1, self._family.channels(self.network), side, side)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(self._device)
        times = torch.tensor([500], device=self._device)
        view = View((size, size), (0, 0), size)
        answer = self._family.answer(self.network, noise, times, self._texts.pick([0]), [view])
        self.network.train(was_training)
        return answer

    def _check_size(self, size: int) -> None:
        step = stride(self.latents.vae) * self._family.patch
        if size % step:
            raise ProxytuneError(
                "HyperparameterInvalid",
                what="The picture size does not fit the teacher",
                given=str(size),
                allowed=f"a multiple of {step}",
                remedy="give the model's recipe in lib/core/catalogue/data/models.json such a size",
            )


def load_vae(family: DiffusionFamily, base: Path, dtype: torch.dtype, device: torch.device) -> Any:
    """The family's VAE in a precision that it does not overflow.

    Raises:
        ProxytuneError: ModelMissing, ModelMismatch.
    """
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    own = torch.float32 if family.vae_float32 else dtype
    return load_part(AutoencoderKL, base, "vae", own).to(device)
