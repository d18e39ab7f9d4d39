"""The table of student families. A new family is a new row."""

from __future__ import annotations

from proxytune.contract.entry_points import new_family
from proxytune.student.families.base import StudentFamily
from proxytune.student.token_generator import TokenGenerator

# Family -> `module:Class` of its `StudentFamily`; imported only when used.
FAMILIES = {
    "llamagen": "proxytune.student.families.llamagen.family:LlamaGenFamily",
    "lumina": "proxytune.student.families.lumina.family:LuminaFamily",
    "janus": "proxytune.student.families.janus.family:JanusFamily",
}


def student_family(name: str) -> StudentFamily:
    """Return a family by name; nothing is loaded yet.

    Raises:
        ProxytuneError: ModelUnknown.
    """
    family: StudentFamily = new_family(FAMILIES, name, "student")
    return family


def image_generator(name: str) -> TokenGenerator:
    """Return the generator of a family; nothing is loaded yet.

    Raises:
        ProxytuneError: ModelUnknown.
    """
    return TokenGenerator(student_family(name))
