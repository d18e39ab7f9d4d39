"""What a teacher is taught, and what the trainer needs of whoever learns it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from proxytune.training.distributed import ALONE, Processes

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from proxytune.teacher.photos import PhotoSet
    from proxytune.training.loop import Trainable


@dataclass(frozen=True)
class Prior:
    """What the teacher should not forget while it learns the subject.

    Attributes:
        prompt: of the class, without the token word.
        pictures: of the class, as the base model draws it.
        weight: of their loss beside the subject's.
    """

    prompt: str
    pictures: PhotoSet
    weight: float


@dataclass(frozen=True)
class Lesson:
    """What a teacher is taught, beside the pictures.

    Attributes:
        prompts: instance prompts, used in turn.
        token_word: the word of these prompts that stands for the subject.
        rank, alpha: the adapter's; it is scaled by alpha / rank.
        batch_size: pictures a step.
        seed: of the order in which the photos are used.
        adapted: which layers carry the adapter: `attention`, or `all` for feed-forward and convolutions too.
        bits: of a weight of the frozen network, 8 or 4; None for the 16 or 32 of its type.
        samples: prompts of the pictures that are drawn along the way, each once.
        steps: of the whole training; long ones are compiled.
        processes: that share each batch; `batch_size` counts the pictures of all.
        prior: what to preserve; each step then has as many pictures of it as of the subject.
        snr_gamma: weigh noise levels by Min-SNR with this gamma; None weighs all alike.
    """

    prompts: list[str]
    token_word: str
    rank: int
    alpha: int
    batch_size: int
    seed: int
    adapted: str = "attention"
    snr_gamma: float | None = None
    bits: int | None = None
    samples: tuple[str, ...] = ()
    processes: Processes = ALONE
    steps: int = 0
    prior: Prior | None = None


class Teacher(Protocol):
    """What the trainer needs of a family."""

    def prepare(self, photos: PhotoSet, lesson: Lesson) -> Trainable:
        """Load the weights, encode what never changes, put a fresh adapter on.

        The adapter's first values are drawn from torch's global state: seed that before.
        """
        ...

    @property
    def architecture(self) -> str:
        """The base model's name in the metadata of adapters (SAI model spec)."""
        ...

    @property
    def weights(self) -> Path:
        """The folder of the weights that the adapter is for."""
        ...

    def named_parameters(self) -> Iterable[tuple[str, torch.nn.Parameter]]:
        """The adapter's, after `prepare`."""
        ...

    def sample(self, number: int, seed: int, sampler: Mapping[str, Any]) -> Image.Image:
        """A picture of what has been learnt so far; leaves the training as it was.

        Args:
            number: of its prompt among the lesson's `samples`.
            seed: of its noise, on which alone it depends.
            sampler: its `steps` and `guidance`.
        """
        ...

    def save(self, folder: Path, about: Mapping[str, str] | None = None) -> None:
        """Write the adapter, read it back, and prove that it is what was trained.

        Args:
            about: what its files say about themselves in their headers.
        """
        ...
