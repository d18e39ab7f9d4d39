"""What a student is taught, and what the trainer needs of whoever learns it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from proxytune.student.proxy_set import ProxySet
    from proxytune.training.loop import LoopSettings, Trainable


@dataclass(frozen=True)
class Lesson:
    """What a student is taught, beside the pictures.

    Attributes:
        caption: the plain prompt of the subject. Each proxy is learnt under its own prompt, which may also
            name a context (`ProxySet.prompts`).
        token_word: the word of these prompts that stands for the subject.
        caption_dropout: share of pictures trained with the null caption, which guidance needs.
        rank, alpha: the adapter's; it is scaled by alpha / rank.
        batch_size: pictures a step.
        seed: of the order in which the proxies are used.
    """

    caption: str
    token_word: str
    caption_dropout: float
    rank: int
    alpha: int
    batch_size: int
    seed: int


class Learner(Protocol):
    """What the trainer needs of a family."""

    def prepare(self, proxies: ProxySet, lesson: Lesson) -> Trainable:
        """Load the weights, encode what never changes, put a fresh adapter on.

        The adapter's first values are drawn from torch's global state: seed that before.
        """
        ...

    def loop_settings(self, *, steps: int, checkpoint_every: int, learning_rate: float) -> LoopSettings:
        """The family's way to train; valid after `prepare`."""
        ...

    def save(self, folder: Path) -> None:
        """Write the adapter, read it back, and prove that it is what was trained."""
        ...
