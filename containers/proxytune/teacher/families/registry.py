"""Which code a teacher family has. A new family is a new row and a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from proxytune.generation.generator import PictureMaker
from proxytune.teacher.config import Teacher
from proxytune.teacher.generator import DiffusionMaker
from proxytune.teacher.model import DiffusionTeacher
from proxytune.training.families import imported, look_up


@dataclass(frozen=True)
class Family:
    """`module:Class` of a `family.DiffusionFamily`; imported only when used."""

    code: str


FAMILIES = {
    "sdxl": Family("proxytune.teacher.families.sdxl:SDXL"),
    "sd3": Family("proxytune.teacher.families.sd3:SD3"),
    "flux": Family("proxytune.teacher.families.flux:Flux"),
}


def teacher(family: str, base: Path, device: torch.device) -> Teacher:
    """The teacher of a family, over the model folder `base`."""
    return DiffusionTeacher(imported(look_up(FAMILIES, family, "teacher").code)(), base, device)


def picture_maker(family: str) -> PictureMaker:
    """What draws this family's pictures; nothing is loaded yet."""
    return DiffusionMaker(imported(look_up(FAMILIES, family, "teacher").code)())
