"""Which code a student family has. A new family is a new row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from proxytune.training.families import imported, look_up

if TYPE_CHECKING:
    import torch

    from proxytune.proxies.maker import PictureMaker
    from proxytune.student.proxy_set import ProxySet
    from proxytune.training.loop import LoopSettings, Trainee


@dataclass(frozen=True)
class Family:
    """`module:Class` of the two things a family consists of; imported only when used."""

    learner: str
    maker: str


FAMILIES = {
    "llamagen": Family(
        "proxytune.student.llamagen.learner:LlamaGenLearner",
        "proxytune.student.llamagen.maker:LlamaGenMaker",
    ),
    "lumina": Family(
        "proxytune.student.lumina.learner:LuminaLearner",
        "proxytune.student.lumina.maker:LuminaMaker",
    ),
    "janus": Family(
        "proxytune.student.janus.learner:JanusLearner", "proxytune.student.janus.maker:JanusMaker"
    ),
}


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

    def prepare(self, proxies: ProxySet, lesson: Lesson) -> Trainee:
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


def learner(family: str, base: Path, size: int, device: torch.device) -> Learner:
    """The learner of a family, over the model folder `base`, for pictures of `size` pixels a side."""
    made: Learner = imported(look_up(FAMILIES, family, "student").learner)(base, size, device)
    return made


def picture_maker(family: str) -> PictureMaker:
    """What draws this family's pictures; nothing is loaded yet."""
    made: PictureMaker = imported(look_up(FAMILIES, family, "student").maker)()
    return made
