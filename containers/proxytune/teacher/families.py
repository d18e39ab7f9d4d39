"""Which code a teacher family has. A new family is a new row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from proxytune.training.families import imported, look_up

if TYPE_CHECKING:
    import torch

    from proxytune.proxies.maker import PictureMaker
    from proxytune.teacher.photos import PhotoSet
    from proxytune.training.loop import Trainee


@dataclass(frozen=True)
class Family:
    """`module:Class` of the two things a family consists of; imported only when used."""

    teacher: str
    maker: str


FAMILIES = {
    "sdxl": Family("proxytune.teacher.sdxl:SDXLTeacher", "proxytune.teacher.sdxl_maker:SDXLMaker"),
}


class Teacher(Protocol):
    """What the trainer needs of a family."""

    def prepare(
        self,
        photos: PhotoSet,
        prompts: list[str],
        token_word: str,
        *,
        rank: int,
        alpha: int,
        batch_size: int,
        seed: int,
        adapted: str = "attention",
    ) -> Trainee:
        """Load the weights, encode what never changes, put a fresh adapter on.

        The adapter's first values are drawn from torch's global state: seed that before.

        Args:
            adapted: which layers carry it: `attention`, or `all` for feed-forward and convolutions too.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the adapter, read it back, and prove that it is what was trained."""
        ...


def teacher(family: str, base: Path, device: torch.device) -> Teacher:
    """The teacher of a family, over the model folder `base`."""
    made: Teacher = imported(look_up(FAMILIES, family, "teacher").teacher)(base, device)
    return made


def picture_maker(family: str) -> PictureMaker:
    """What draws this family's pictures; nothing is loaded yet."""
    made: PictureMaker = imported(look_up(FAMILIES, family, "teacher").maker)()
    return made
