"""Code that is named in a table as `module:name` and imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeVar

from proxytune.contract.errors import ProxytuneError

Row = TypeVar("Row")


def load_entry_point(reference: str) -> Any:
    """Import `module:name`; only now, so that a job loads the libraries of its own family alone."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def new_family(families: Mapping[str, str], family: str, role: str) -> Any:
    """Return a new object of the class that a role's table names for a family.

    Args:
        families: the role's table, family -> `module:Class`.
        role: teacher or student, for the message.

    Raises:
        ProxytuneError: ModelUnknown when the table has no such row.
    """
    return load_entry_point(find_family(families, family, role))()


def find_family(families: Mapping[str, Row], family: str, role: str) -> Row:
    """Find the row of a family.

    Args:
        families: the role's table.
        role: teacher or student, for the message.

    Raises:
        ProxytuneError: ModelUnknown when the table has no such row.
    """
    if family not in families:
        raise ProxytuneError(
            "ModelUnknown",
            what=f"This image has no code for the {role}'s family",
            given=family,
            allowed=", ".join(families),
            remedy=f"choose another {role}, or build the image of a version that knows the family",
        )
    return families[family]
