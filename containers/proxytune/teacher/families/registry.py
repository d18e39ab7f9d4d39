"""Which code a teacher family has. A new family is a new row and a file of its own."""

from __future__ import annotations

from pathlib import Path

import torch

from proxytune.contract.entry_points import find_family, load_entry_point
from proxytune.generation.generator import PictureMaker
from proxytune.teacher.config import Teacher
from proxytune.teacher.generator import DiffusionMaker
from proxytune.teacher.model import DiffusionTeacher

# Family -> its `DiffusionFamily`, imported only when it is used.
FAMILIES = {
    "sdxl": "proxytune.teacher.families.sdxl:SDXL",
    "sd3": "proxytune.teacher.families.sd3:SD3",
    "flux": "proxytune.teacher.families.flux:Flux",
}


def teacher(family: str, base: Path, device: torch.device) -> Teacher:
    """The teacher of a family, over the model folder `base`."""
    return DiffusionTeacher(load_entry_point(find_family(FAMILIES, family, "teacher"))(), base, device)


def picture_maker(family: str) -> PictureMaker:
    """What draws this family's pictures; nothing is loaded yet."""
    return DiffusionMaker(load_entry_point(find_family(FAMILIES, family, "teacher"))())
