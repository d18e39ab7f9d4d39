"""Which code a student family has. A new family is a new row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proxytune.training.families import imported, look_up

if TYPE_CHECKING:
    import torch

    from proxytune.proxies.maker import PictureMaker
    from proxytune.student.lesson import Learner


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


def learner(family: str, base: Path, size: int, device: torch.device) -> Learner:
    """The learner of a family, over the model folder `base`, for pictures of `size` pixels a side."""
    made: Learner = imported(look_up(FAMILIES, family, "student").learner)(base, size, device)
    return made


def picture_maker(family: str) -> PictureMaker:
    """What draws this family's pictures; nothing is loaded yet."""
    made: PictureMaker = imported(look_up(FAMILIES, family, "student").maker)()
    return made
