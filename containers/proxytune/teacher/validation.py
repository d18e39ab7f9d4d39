"""What a teacher draws at its checkpoints, kept with the adapter of each until one of them is chosen.

The pictures have fixed prompts and seeds, so that those of two checkpoints differ by what was learnt between
them alone. They are kept one by one: an attempt that was cut off goes on with the next, and nothing is drawn
twice.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from proxytune.contract.names import SEEDS
from proxytune.contract.progress import ProgressFile, replace_file
from proxytune.contract.signals import StopRequest
from proxytune.images.png import encode_png
from proxytune.teacher.photos import is_picture

# Above the seeds of proxies and of the evaluation's samples (names.json): a checkpoint is not chosen
# by the very noise that it is measured with.
FIRST_SEED = SEEDS.streams.validation * SEEDS.stream_width
SETTINGS = "settings.txt"


@dataclass(frozen=True)
class Sample:
    """One of the pictures of every checkpoint.

    Attributes:
        number: its place among them.
        prompt: what it is drawn from.
        in_context: whether the prompt names a context.
        seed: of its noise.
    """

    number: int
    prompt: str
    in_context: bool
    seed: int


def wanted(hyperparameters: Mapping[str, Any]) -> list[Sample]:
    """The pictures of a checkpoint: those of the subject alone, then one in each context.

    Args:
        hyperparameters: those of stage teach, with `samples` and `sample_prompts`.
    """
    asked = hyperparameters["samples"]
    alone, *contexts = (
        template.replace("{s}", asked["subject"]) for template in hyperparameters["sample_prompts"]
    )
    prompts = [(alone, False)] * asked["pictures"] + [(prompt, True) for prompt in contexts]
    first = FIRST_SEED + hyperparameters["seed"]
    return [Sample(number, *prompt, first + number) for number, prompt in enumerate(prompts)]


class SampleBook:
    """The samples and adapters of one training, by step.

    Args:
        folder: outlives this attempt.
        settings: hash of everything that decides what is trained; samples of other settings are removed.
        samples: those of each checkpoint.
    """

    def __init__(self, folder: Path, settings: str, samples: Iterable[Sample]) -> None:
        self.folder, self.samples = folder, list(samples)
        mark = folder / SETTINGS
        if folder.exists() and (not mark.exists() or mark.read_text("utf-8") != settings):
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(mark, settings.encode("utf-8"))
        self._remove_broken()

    def missing(self, step: int) -> list[Sample]:
        """Those of a step that are not drawn yet."""
        return [sample for sample in self.samples if not self.file(step, sample).exists()]

    def file(self, step: int, sample: Sample) -> Path:
        """Where a picture lies, or will."""
        return self._of(step) / f"{sample.number:04d}.png"

    def keep(self, step: int, sample: Sample, picture: Image.Image) -> None:
        """Keep a picture."""
        self._of(step).mkdir(exist_ok=True)
        replace_file(self.file(step, sample), encode_png(picture))

    def keep_adapter(self, step: int, adapter: Mapping[str, Tensor]) -> None:
        """Keep the adapter of a step, unless it is kept."""
        if self._adapter(step).exists():
            return
        self._of(step).mkdir(exist_ok=True)
        values = {name: value.detach().cpu().contiguous() for name, value in adapter.items()}
        replace_file(self._adapter(step), save(values))

    def adapter(self, step: int) -> dict[str, Tensor]:
        """The adapter of a step."""
        return load_file(self._adapter(step))

    def steps(self) -> list[int]:
        """The steps of which all is there, in order; the untuned model's has no adapter."""
        found = [int(folder.name.removeprefix("step-")) for folder in self.folder.glob("step-*")]
        return sorted(
            step for step in found if not self.missing(step) and (step == 0 or self._adapter(step).exists())
        )

    def keep_only(self, step: int) -> None:
        """Once one adapter was chosen and saved the others only take room."""
        for other in self.steps():
            if other != step:
                self._adapter(other).unlink(missing_ok=True)

    def _remove_broken(self) -> None:
        """What the mirror brought back in part is not there."""
        for file in (*self.folder.glob("step-*/*.png"), *self.folder.glob("step-*/*.safetensors")):
            if not (_is_adapter(file) if file.suffix == ".safetensors" else is_picture(file)):
                print(f"{file.relative_to(self.folder)} is not whole and is removed", flush=True)
                file.unlink()

    def _of(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}"

    def _adapter(self, step: int) -> Path:
        return self._of(step) / "adapter.safetensors"


def _is_adapter(file: Path) -> bool:
    try:
        load_file(file)
    except (OSError, SafetensorError):
        return False
    return True


class Artist(Protocol):
    """Who draws: a teacher in the middle of its training."""

    def named_parameters(self) -> Iterable[tuple[str, torch.nn.Parameter]]:
        """As `training.loop.Trainable.named_parameters`."""
        ...

    def sample(self, number: int, seed: int, sampler: Mapping[str, Any]) -> Image.Image:
        """As `lesson.Teacher.sample`."""
        ...


def collector(
    book: SampleBook,
    artist: Artist,
    sampler: Mapping[str, Any],
    progress: ProgressFile,
    stop: StopRequest,
) -> Callable[[int], None]:
    """What the training loop calls at each checkpoint: draws what the book lacks of it.

    A stop is heeded between two pictures; the next attempt draws the others.

    Args:
        sampler: its `steps` and `guidance`.
    """
    # The artist knows each prompt once.
    prompts = list(dict.fromkeys(sample.prompt for sample in book.samples))

    def collect(step: int) -> None:
        if step > 0:
            book.keep_adapter(step, dict(artist.named_parameters()))
        missing = book.missing(step)
        if missing:
            progress.write("drawing samples", step)
        for sample in missing:
            if stop.requested:
                return
            picture = artist.sample(prompts.index(sample.prompt), sample.seed, sampler)
            book.keep(step, sample, picture)

    return collect
