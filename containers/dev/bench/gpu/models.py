"""Models for the GPU bench: the product's trainers and generators over full-size or tiny models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from dev.bench.gpu.bench import Bench
from dev.full_size.students import StudentFolder, full_size_student, tiny_student
from dev.full_size.teachers import TeacherFolder, full_size_teacher, tiny_teacher
from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.images import shard
from proxytune.images.chunk import Chunk, PictureRequest
from proxytune.images.dataset import read_proxies
from proxytune.images.png import encode_png
from proxytune.student.config import TrainConfig as StudentConfig
from proxytune.student.lora_trainer import StudentTrainer
from proxytune.student.proxy_set import ProxySet
from proxytune.student.token_generator import TokenGenerator
from proxytune.teacher.config import TrainConfig as TeacherConfig
from proxytune.teacher.generator import DiffusionGenerator
from proxytune.teacher.lora_trainer import TeacherTrainer
from proxytune.teacher.photos import PhotoSet
from proxytune.training import loop
from proxytune.training.states import seed_everything

WORD, PROMPT = "ohwx", "a photo of ohwx dog"
SEED = 7


@dataclass(frozen=True)
class Training:
    """A trainer after its preparation, and the recipe that it follows."""

    trainer: TeacherTrainer | StudentTrainer
    recipe: dict[str, Any]

    def run(
        self, folder: Path, steps: int, *, stop: StopRequest | None = None, after_step: Any = None
    ) -> int:
        """Train by the product's loop, whose only checkpoints are the last step's and SIGTERM's.

        Returns:
            The step of the checkpoint that it resumed from, 0 for a new start.
        """
        settings = loop.LoopSettings(
            steps=steps, checkpoint_every=steps, learning_rate=self.recipe["learningRate"], seed=SEED
        )
        store, progress = CheckpointStore(folder, "bench"), ProgressFile(folder, "teach", steps)
        return loop.run(self.trainer, settings, store, progress, stop or StopRequest(), after_step=after_step)


def teacher_folder(bench: Bench, model: str) -> TeacherFolder:
    """Return a teacher's code and folder."""
    folder = bench.folder / model
    if folder.exists():
        # Made by the same part before; the family is new, as each prepared trainer has its own.
        folder = bench.folder / f"{model}-{len(list(bench.folder.iterdir()))}"
    return tiny_teacher(model, folder) if bench.tiny else full_size_teacher(model, folder, bench.device)


def student_folder(bench: Bench, model: str, *, image_size: int | None = None) -> StudentFolder:
    """Return a student's code and folder.

    Args:
        image_size: of its images; None takes the model's own.
    """
    folder = bench.folder / model
    return tiny_student(model, folder) if bench.tiny else full_size_student(model, folder, image_size)


def teacher_training(
    bench: Bench,
    model: str,
    *,
    dtype: torch.dtype | None = None,
    made: TeacherFolder | None = None,
    **changes: Any,
) -> Training:
    """Prepare a teacher's training by its standard recipe.

    Args:
        dtype: of the frozen network; None is the product's own choice.
        made: its code and folder, where they exist already.
        changes: settings of the training config that differ.
    """
    recipe, made = bench.recipe(model), made or teacher_folder(bench, model)
    config = TeacherConfig(
        **{
            "prompts": [PROMPT],
            "token_word": WORD,
            "rank": recipe["rank"],
            "alpha": recipe["alpha"],
            "adapted": recipe.get("adapted", "attention"),
            "batch_size": recipe["batchSize"],
            "seed": SEED,
            **changes,
        }
    )
    seed_everything(SEED)
    trainer = TeacherTrainer(made.family, config)
    trainer.prepare(made.base, _photos(bench, recipe["size"]), bench.device, dtype=dtype)
    return Training(trainer, recipe)


def student_training(bench: Bench, model: str, **changes: Any) -> Training:
    """Prepare a student's training by its standard recipe; `changes` as for teachers."""
    recipe, made = bench.recipe(model), student_folder(bench, model)
    config = StudentConfig(
        **{
            "caption": PROMPT,
            "token_word": WORD,
            "caption_dropout": 0.1,
            "rank": recipe["rank"],
            "alpha": recipe["alpha"],
            "batch_size": recipe["batchSize"],
            "seed": SEED,
            **changes,
        }
    )
    seed_everything(SEED)
    proxies = _proxies(bench, recipe["size"])
    return Training(StudentTrainer(made.family, config).prepare(made.base, proxies, bench.device), recipe)


def teacher_generator(bench: Bench, model: str, *, compiled: bool | None = False) -> DiffusionGenerator:
    """Load a teacher's generator without an adapter."""
    made = teacher_folder(bench, model)
    generator = DiffusionGenerator(made.family, compiled=compiled)
    generator.load(made.base, None, bench.device)
    return generator


def student_generator(bench: Bench, model: str, *, image_size: int | None = None) -> TokenGenerator:
    """Load a student's generator without an adapter."""
    made = student_folder(bench, model, image_size=image_size)
    generator = TokenGenerator(made.family)
    generator.load(made.base, None, bench.device)
    return generator


def chunk(recipe: dict[str, Any], size: int, count: int, **sampler: Any) -> Chunk:
    """Return a request for a full batch of images of one prompt.

    Args:
        sampler: settings of the recipe's sampler that differ.
    """
    pictures = tuple(PictureRequest(number, PROMPT, SEED + number) for number in range(count))
    how = {**recipe["sampler"], **sampler}
    return Chunk("synthesize", 0, "base", size, recipe["drawBatch"], how, pictures)


def _noise(size: int, seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


def _photos(bench: Bench, size: int) -> PhotoSet:
    """One square photo: its only crop is encoded before the first step."""
    folder = bench.folder / "photos"
    if not folder.exists():
        folder.mkdir()
        _noise(size, 0).save(folder / "0.png")
    return PhotoSet(folder, size)


def _proxies(bench: Bench, size: int) -> ProxySet:
    """A few proxies, in a shard as the stage synthesize writes it."""
    folder, count = bench.folder / f"proxies-{size}", 8
    if not folder.exists():
        folder.mkdir()
        facts = {"prompt": PROMPT, "variant": "tuned", "stage": "synthesize", "size": size, "model": "bench"}
        pictures = (
            (encode_png(_noise(size, index)), {"index": index, "seed": index, **facts})
            for index in range(count)
        )
        (folder / "000.json.out").write_bytes(shard.write(pictures))
    return ProxySet(read_proxies(folder, count), size)
