"""Teachers of every family on their tiny models, for tests."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from jobs import write_photos, write_teach_job

from proxytune.contract import hyperparameters
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.images.chunk import Chunk, PictureRequest
from proxytune.teacher.config import TrainConfig
from proxytune.teacher.families import registry
from proxytune.teacher.generator import DiffusionGenerator
from proxytune.teacher.lora_trainer import TeacherTrainer
from proxytune.teacher.photos import PhotoSet
from proxytune.teacher.trainer import train
from proxytune.training.states import seed_everything

CPU = torch.device("cpu")
PROMPTS = ["a ohwx dog", "a photo of ohwx dog"]
# Catalogue id -> family.
MODELS = {"sdxl-tiny": "sdxl", "sd3-medium-tiny": "sd3", "sd3.5-large-tiny": "sd3", "flux-dev-tiny": "flux"}


def family_of(model: str):
    return registry.teacher_family(MODELS[model])


@cache
def full_size(model: str):
    """A teacher's network of official size in bfloat16, without weights."""
    # Here, as processes that torchrun starts import this module without that package.
    from dev.full_size import networks

    kind = family_of(f"{model}-tiny").network_class()
    return networks.teacher_network(kind, model, "meta", torch.bfloat16)


def photo_set(folder: Path, size: int = 64) -> PhotoSet:
    write_photos(folder)
    return PhotoSet(folder, size)


def train_config(**changes) -> TrainConfig:
    defaults = {"prompts": PROMPTS, "token_word": "ohwx", "rank": 2, "alpha": 4, "batch_size": 2, "seed": 1}
    return TrainConfig(**{**defaults, **changes})


def prepared(base: Path, photos: PhotoSet, *, dtype=None, **changes) -> TeacherTrainer:
    """A teacher with a new adapter; `base` is a tiny model's folder, or a copy of the same name."""
    seed_everything(1)
    trainer = TeacherTrainer(family_of(base.name), train_config(**changes))
    return trainer.prepare(base, photos, CPU, dtype=dtype)


def trained(base: Path, photos: PhotoSet, steps: int = 5, **options) -> TeacherTrainer:
    teacher = prepared(base, photos, **options)
    optimizer = torch.optim.AdamW([value for _, value in teacher.named_parameters()], lr=1e-2)
    rng = torch.Generator().manual_seed(1)
    for step in range(steps):
        teacher.loss(step, rng).backward()
        optimizer.step()
        optimizer.zero_grad()
    return teacher


# Strong enough that an image without the adapter cannot be mistaken for one with it.
STRONG = {"steps": "4", "checkpoint_every": "100", "learning_rate": "0.01", "alpha": "40"}


def teach(folder: Path, model: str, base: Path, stop: StopRequest | None = None, **changes: str) -> Path:
    """Run the teach job of a model, or another attempt of it; returns the folder of its adapter."""
    if not folder.exists():
        write_teach_job(folder, base, family=MODELS[model], model=model, **{**STRONG, **changes})
    folders = Folders(folder)
    folders.model.mkdir(exist_ok=True)
    train(folders, hyperparameters.read(folders), stop or StopRequest())
    return folders.model


def write_strong_adapter(base: Path, folder: Path, metadata=None, **changes) -> Path:
    """Write an adapter of random weights with a large effect; alpha differs from rank."""
    teacher = prepared(base, photo_set(folder / "photos"), **{"rank": 3, "alpha": 6, **changes})
    with torch.no_grad():
        for _, value in teacher.named_parameters():
            value.normal_(std=0.2)
    teacher.save(folder / "adapter", metadata)
    return folder / "adapter"


def loaded(base: Path, adapter: Path | None) -> DiffusionGenerator:
    generator = DiffusionGenerator(family_of(base.name))
    generator.load(base, adapter, CPU)
    return generator


def chunk(
    *,
    seeds=(11, 12, 13, 14),
    batch_size=4,
    variant="tuned",
    size=64,
    guidance=5.0,
    steps=3,
    prompts=None,
    stage_pictures=None,
):
    prompts = prompts or ["a ohwx dog"] * len(seeds)
    pictures = tuple(
        PictureRequest(number, prompt, seed)
        for number, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True))
    )
    sampler = {"kind": "diffusion", "steps": steps, "guidance": guidance}
    return Chunk("synthesize", 0, variant, size, batch_size, sampler, pictures, stage_pictures)


def plain_pipeline(base: Path):
    """Load the folder with diffusers alone, as other software does."""
    from diffusers import DiffusionPipeline

    pipeline = DiffusionPipeline.from_pretrained(base, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def plain_picture(pipe, seed: int, *, prompt="a ohwx dog", guidance=5.0, steps=3):
    """Generate one image as users of diffusers do. The tiny T5s read 64 tokens."""
    longest = {"max_sequence_length": 64} if hasattr(pipe, "transformer") else {}
    return pipe(
        prompt,
        num_inference_steps=steps,
        guidance_scale=guidance,
        height=64,
        width=64,
        generator=torch.Generator().manual_seed(seed),
        **longest,
    ).images[0]


def pixels(images) -> np.ndarray:
    return np.stack([np.asarray(image, dtype=np.int16) for image in images])
