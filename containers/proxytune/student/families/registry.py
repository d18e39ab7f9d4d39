"""Which code a student family has. A new family is a new row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proxytune.contract.entry_points import find_family, load_entry_point

if TYPE_CHECKING:
    import torch

    from proxytune.generation.generator import PictureMaker
    from proxytune.student.config import Learner


@dataclass(frozen=True)
class Family:
    """`module:Class` of the two things a family consists of; imported only when used."""

    learner: str
    maker: str


FAMILIES = {
    "llamagen": Family(
        "proxytune.student.families.llamagen.trainer:LlamaGenLearner",
        "proxytune.student.families.llamagen.generator:LlamaGenMaker",
    ),
    "lumina": Family(
        "proxytune.student.families.lumina.trainer:LuminaLearner",
        "proxytune.student.families.lumina.generator:LuminaMaker",
    ),
    "janus": Family(
        "proxytune.student.families.janus.trainer:JanusLearner",
        "proxytune.student.families.janus.generator:JanusMaker",
    ),
}


def learner(family: str, base: Path, size: int, device: torch.device) -> Learner:
    """The learner of a family, over the model folder `base`, for pictures of `size` pixels a side."""
    made: Learner = load_entry_point(find_family(FAMILIES, family, "student").learner)(base, size, device)
    return made


def picture_maker(family: str) -> PictureMaker:
    """What draws this family's pictures; nothing is loaded yet."""
    made: PictureMaker = load_entry_point(find_family(FAMILIES, family, "student").maker)()
    return made
