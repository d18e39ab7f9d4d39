"""The images that a teacher generates at its checkpoints, stored with the adapters until one is selected.

The images have fixed prompts and seeds, so that those of two checkpoints differ by what was learned between
them alone. They are stored one by one: an attempt resumes after the last one, and none is generated twice.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from proxytune.contract.progress import ProgressFile, replace_file
from proxytune.contract.signals import StopRequest
from proxytune.images.png import encode_png
from proxytune.teacher.config import ValidationImage
from proxytune.teacher.lora_trainer import TeacherTrainer
from proxytune.teacher.photos import is_image

SETTINGS = "settings.txt"
# Validation images of at most this many pixels in all are generated together. At 32 pixels these are all of a
# checkpoint, as a step of one image is mostly the calls of its operations; from 256 on it is one image, as
# a batch would need memory that the training takes.
PIXELS_AT_ONCE = 256**2


class ValidationImages:
    """The validation images and adapters of one training, by step.

    Args:
        folder: outlives this attempt.
        settings: hash of everything that decides what is trained; images of other settings are removed.
        images: those of each checkpoint.
    """

    def __init__(self, folder: Path, settings: str, images: Iterable[ValidationImage]) -> None:
        self.folder, self.images = folder, list(images)
        file = folder / SETTINGS
        if folder.exists() and (not file.exists() or file.read_text("utf-8") != settings):
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(file, settings.encode("utf-8"))
        self._remove_incomplete()

    def callback(
        self,
        trainer: TeacherTrainer,
        sampler: Mapping[str, Any],
        progress: ProgressFile,
        stop: StopRequest,
    ) -> Callable[[int], None]:
        """Return the training loop's callback: it stores the adapter, and generates the missing images.

        A stop takes effect between two images of a batch too; the next attempt generates the others.

        Args:
            sampler: its `steps` and `guidance`.
        """

        def at_checkpoint(step: int) -> None:
            if step > 0:
                self.store_adapter(step, dict(trainer.named_parameters()))
            missing = self.missing(step)
            if missing:
                progress.write("generating validation images", step)
            at_once = images_at_once(trainer.image_size)
            for start in range(0, len(missing), at_once):
                if stop.requested:
                    return
                batch = missing[start : start + at_once]
                for image, pixels in zip(batch, trainer.generate_images(batch, sampler), strict=True):
                    if stop.requested:
                        return
                    self.store(step, image, pixels)

        return at_checkpoint

    def missing(self, step: int) -> list[ValidationImage]:
        """List the images of a step that are not stored yet."""
        return [image for image in self.images if not self.file(step, image).exists()]

    def file(self, step: int, image: ValidationImage) -> Path:
        """Return the path of an image, stored or not."""
        return self._folder_of(step) / f"{image.number:04d}.png"

    def store(self, step: int, image: ValidationImage, pixels: Image.Image) -> None:
        """Store an image."""
        self._folder_of(step).mkdir(exist_ok=True)
        replace_file(self.file(step, image), encode_png(pixels))

    def store_adapter(self, step: int, adapter: Mapping[str, Tensor]) -> None:
        """Store the adapter of a step, unless it is stored already."""
        if self._adapter_file(step).exists():
            return
        self._folder_of(step).mkdir(exist_ok=True)
        values = {name: value.detach().cpu().contiguous() for name, value in adapter.items()}
        replace_file(self._adapter_file(step), save(values))

    def adapter(self, step: int) -> dict[str, Tensor]:
        """Read the adapter of a step."""
        return load_file(self._adapter_file(step))

    def steps(self) -> list[int]:
        """List the complete steps in order; that of the untuned model has no adapter."""
        steps = [int(folder.name.removeprefix("step-")) for folder in self.folder.glob("step-*")]
        return sorted(
            step
            for step in steps
            if not self.missing(step) and (step == 0 or self._adapter_file(step).exists())
        )

    def keep_only(self, step: int) -> None:
        """Remove the adapters of all other steps, once that of the selected one is saved."""
        for other in self.steps():
            if other != step:
                self._adapter_file(other).unlink(missing_ok=True)

    def _remove_incomplete(self) -> None:
        """Remove the files that the mirror restored only in part."""
        for file in (*self.folder.glob("step-*/*.png"), *self.folder.glob("step-*/*.safetensors")):
            if not (_is_adapter(file) if file.suffix == ".safetensors" else is_image(file)):
                print(f"{file.relative_to(self.folder)} is incomplete and is removed", flush=True)
                file.unlink()

    def _folder_of(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}"

    def _adapter_file(self, step: int) -> Path:
        return self._folder_of(step) / "adapter.safetensors"


def images_at_once(size: int) -> int:
    """Return the number of images of this side, in pixels, that are generated together."""
    return max(1, PIXELS_AT_ONCE // size**2)


def _is_adapter(file: Path) -> bool:
    try:
        load_file(file)
    except (OSError, SafetensorError):
        return False
    return True
