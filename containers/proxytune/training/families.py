"""Finding a family's code in a table of families, for teachers and students alike."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeVar

from proxytune.contract.errors import ProxytuneError

Row = TypeVar("Row")


def look_up(families: Mapping[str, Row], family: str, role: str) -> Row:
    """The row of a family.

    Args:
        families: the role's table.
        role: teacher or student, for the message.

    Raises:
        ProxytuneError: ModelUnknown when the table has no such row.
    """
    if family not in families:
        raise ProxytuneError(
            "ModelUnknown",
            what=f"This image holds no code for the {role}'s family",
            given=family,
            allowed=", ".join(families),
            remedy=f"choose another {role}, or build the image of a version that knows the family",
        )
    return families[family]


def imported(place: str) -> Any:
    """What `module:name` stands for; imported now, so that a job loads its own family's libraries only."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
