"""The two sides of a teacher's bench: ours as the product runs it, and the plain way, of equal weights.

The plain way to train is the loop of the public example scripts: in every step the prompts go through the
text encoders and the pictures through the VAE. The plain way to generate is diffusers' own pipeline with the
adapter loaded, called once a picture. A test shows that both compute the same loss and the same pictures.
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dev.bench import measuring
from dev.bench.small_teachers import SCALES
from proxytune.images.chunk import Chunk, PictureRequest
from proxytune.teacher.adapter import add_adapter
from proxytune.teacher.config import TrainConfig
from proxytune.teacher.families.registry import image_generator, teacher_family
from proxytune.teacher.latents import normalise_latents
from proxytune.teacher.lora_trainer import TeacherTrainer
from proxytune.teacher.photos import PhotoSet
from proxytune.teacher.text import PromptEmbeddings
from proxytune.training.device import compute_dtype, default_device
from proxytune.training.states import seed_everything

# Of the standard recipe, in lib/core/catalogue/data/models.json.
RANK = 16
PROMPTS = ["a ohwx dog", "a photo of a ohwx dog"]
# The photos' sides, longer and shorter, as shares of the training picture's.
PHOTO_SHAPES = ((1.5, 1.0), (1.0, 1.33), (1.0, 1.0), (1.33, 1.0), (1.0, 1.5))

Run = Callable[[], object]


def write_model(family: str, scale: str, folder: Path) -> None:
    """Write the model and five photos, once for both sides and all processes."""
    SCALES[family][scale].write(folder / "model")
    size = SCALES[family][scale].size
    rng = np.random.default_rng(3)
    (folder / "photos").mkdir()
    for number, (width, height) in enumerate(PHOTO_SHAPES):
        small = Image.fromarray(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8))
        picture = small.resize((round(width * size), round(height * size)), Image.Resampling.BICUBIC)
        picture.save(folder / "photos" / f"{number}.png")


def training(side: str, folder: Path, sizes: dict[str, Any]) -> Run:
    """`sizes["steps"]` optimizer steps; weights and random numbers are the same on all sides.

    Args:
        side: ours; recomputed, which is ours with activation checkpointing; or plain.
    """
    kind = PlainTraining if side == "plain" else OurTraining
    made: OurTraining | PlainTraining = kind(folder, sizes)
    if side == "recomputed":
        made.network.enable_gradient_checkpointing()
    parameters = [value for value in made.network.parameters() if value.requires_grad]
    rng = torch.Generator().manual_seed(5)
    numbers = itertools.count()
    step = measuring.optimizer_step(parameters, lambda: made.loss(next(numbers), rng))
    return lambda: [step() for _ in range(sizes["steps"])]


class OurTraining:
    """The product's teacher after its preparation."""

    def __init__(self, folder: Path, sizes: dict[str, Any]) -> None:
        photos = PhotoSet(folder / "photos", SCALES[sizes["family"]][sizes["scale"]].size)
        seed_everything(1)
        trainer = TeacherTrainer(teacher_family(sizes["family"]), config(sizes))
        trainer.prepare(folder / "model", photos, default_device())
        self.network = trainer.network
        self.loss = trainer.loss


class PlainTraining:
    """A loop that encodes texts and pictures in every step."""

    def __init__(self, folder: Path, sizes: dict[str, Any]) -> None:
        self._family, self._sizes = teacher_family(sizes["family"]), sizes
        self._config = config(sizes)
        self.photos = PhotoSet(folder / "photos", SCALES[sizes["family"]][sizes["scale"]].size)
        seed_everything(1)
        self._pipe = plain_pipeline(folder / "model")
        self._objective = self._family.objective(folder / "model", None)
        self.network = getattr(self._pipe, self._family.network)
        for part in self._pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.requires_grad_(False)
        targets = self._family.targets["attention"]
        add_adapter(self.network, rank=RANK, alpha=RANK, targets=targets)
        self.network.train()

    def loss(self, step: int, rng: torch.Generator) -> Tensor:
        """As our teacher's loss, but nothing is reused between steps."""
        count, photos = self._config.batch_size, self.photos
        slots = range(step * count, (step + 1) * count)
        crops, latents = [], []
        for slot in slots:
            crops.append(photos.random_crop(photos.photo_at(slot, self._config.seed), rng))
            latents.append(self.encode_picture(photos.pixels(crops[-1]), rng))
        texts = self.encode_texts([PROMPTS[slot % len(PROMPTS)] for slot in slots])
        batch = torch.cat(latents)
        noise = torch.randn(batch.shape, generator=rng).to(batch.device)
        noisy = self._objective.add_noise(batch, noise, rng)
        conditioning = [photos.conditioning(crop) for crop in crops]
        prediction = self._family.predict(self.network, noisy.latents, noisy.timesteps, texts, conditioning)
        errors = (prediction.float() - noisy.target).square().flatten(1).mean(1)
        return (errors * noisy.weights).mean()

    @torch.no_grad()
    def encode_picture(self, pixels: Tensor, rng: torch.Generator) -> Tensor:
        """(1, C, h, w) latents of (3, size, size) pixels."""
        vae = self._pipe.vae
        answer = vae.encode(pixels[None].to(vae.device, vae.dtype)).latent_dist
        noise = torch.randn(answer.mean.shape, generator=rng).to(vae.device)
        return normalise_latents((answer.mean + answer.std * noise).float(), vae.config)

    @torch.no_grad()
    def encode_texts(self, prompts: list[str]) -> PromptEmbeddings:
        """Encode the prompts by diffusers' pipeline."""
        # The second and third are each encoder's own prompt where it differs; names differ by pipeline.
        others = (
            {"prompt_2": None, "prompt_3": None} if self._sizes["family"] == "sd3" else {"prompt_2": None}
        )
        given: dict[str, Any] = {"prompt": prompts, **others}
        length = SCALES[self._sizes["family"]][self._sizes["scale"]].text_length
        if length is not None:
            given["max_sequence_length"] = length
        if self._sizes["family"] != "flux":
            given["do_classifier_free_guidance"] = False
        answer = self._pipe.encode_prompt(**given)
        return PromptEmbeddings(answer[0], answer[1] if self._sizes["family"] == "flux" else answer[2])


def generation(side: str, folder: Path, sizes: dict[str, Any]) -> Callable[[], list[Image.Image]]:
    """`sizes["pictures"]` pictures of the tuned subject with the adapter in `folder`."""
    scale = SCALES[sizes["family"]][sizes["scale"]]
    count, steps, guidance = sizes["pictures"], sizes["draw_steps"], sizes["guidance"]
    if side == "ours":
        generator = image_generator(sizes["family"])
        generator.load(folder / "model", folder / "adapter", default_device())
        sampler = {"kind": "diffusion", "steps": steps, "guidance": guidance}
        pictures = tuple(PictureRequest(number, PROMPTS[0], number) for number in range(count))
        chunk = Chunk("synthesize", 0, "tuned", scale.size, sizes["draw_batch"], sampler, pictures)
        return lambda: generator.generate(chunk)
    pipe = plain_pipeline(folder / "model")
    pipe.load_lora_weights(folder / "adapter")
    length = {} if scale.text_length is None else {"max_sequence_length": scale.text_length}

    def draw() -> list[Image.Image]:
        return [
            pipe(
                PROMPTS[0],
                num_inference_steps=steps,
                guidance_scale=guidance,
                height=scale.size,
                width=scale.size,
                generator=torch.Generator("cpu").manual_seed(number),
                **length,
            ).images[0]
            for number in range(count)
        ]

    return draw


def write_adapter(folder: Path, sizes: dict[str, Any]) -> None:
    """Write an adapter with an effect where `generation` reads it."""
    photos = PhotoSet(folder / "photos", SCALES[sizes["family"]][sizes["scale"]].size)
    seed_everything(1)
    trainer = TeacherTrainer(teacher_family(sizes["family"]), config(sizes))
    trainer.prepare(folder / "model", photos, default_device())
    with torch.no_grad():
        for _, value in trainer.named_parameters():
            value.normal_(std=0.05)
    shutil.rmtree(folder / "adapter", ignore_errors=True)
    trainer.save(folder / "adapter")


def parts(folder: Path, sizes: dict[str, Any], turns: int) -> dict[str, float]:
    """Measure the median milliseconds of the work that only the plain loop does in every step."""
    plain = PlainTraining(folder, sizes)
    count, rng = sizes["batch"], torch.Generator().manual_seed(0)
    pixels = [plain.photos.pixels(plain.photos.random_crop(0, rng)) for _ in range(count)]
    works: dict[str, Run] = {
        "texts": lambda: plain.encode_texts([PROMPTS[0]] * count),
        "pictures": lambda: [plain.encode_picture(one, rng) for one in pixels],
    }
    return {
        name: 1000 * statistics.median(measuring.seconds(work) for _ in range(turns))
        for name, work in works.items()
    }


def config(sizes: dict[str, Any]) -> TrainConfig:
    """Return the config of both sides."""
    return TrainConfig(
        prompts=PROMPTS, token_word="ohwx", rank=RANK, alpha=RANK, batch_size=sizes["batch"], seed=1
    )


def plain_pipeline(base: Path) -> Any:
    """diffusers' own, as someone else's software loads the folder."""
    from diffusers import DiffusionPipeline

    device = default_device()
    made = DiffusionPipeline.from_pretrained(base, local_files_only=True, dtype=compute_dtype(device))
    made = made.to(device)
    made.set_progress_bar_config(disable=True)
    return made


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder that is gone when the bench is done."""
    return tempfile.TemporaryDirectory(prefix="proxytune-bench-")
