"""The table of teacher families. A new family is a new row and a file of its own."""

from __future__ import annotations

from proxytune.contract.entry_points import new_family
from proxytune.teacher.families.base import DiffusionFamily
from proxytune.teacher.generator import DiffusionGenerator

# Family -> `module:Class` of its `DiffusionFamily`; imported only when used.
FAMILIES = {
    "sdxl": "proxytune.teacher.families.sdxl:SDXL",
    "sd3": "proxytune.teacher.families.sd3:SD3",
    "flux": "proxytune.teacher.families.flux:Flux",
}


def teacher_family(name: str) -> DiffusionFamily:
    """Return a family by name; nothing is loaded yet.

    Raises:
        ProxytuneError: ModelUnknown.
    """
    family: DiffusionFamily = new_family(FAMILIES, name, "teacher")
    return family


def image_generator(name: str) -> DiffusionGenerator:
    """Return the generator of a family; nothing is loaded yet.

    Raises:
        ProxytuneError: ModelUnknown.
    """
    return DiffusionGenerator(teacher_family(name))
