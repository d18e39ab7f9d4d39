"""What the code imports is named in pyproject.toml, and what is named there is imported.

A package that only comes along with another one would be gone when that one no longer needs it, and the image
holds what is named.
"""

from __future__ import annotations

import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from reading import CONTAINERS, imports

# Where files are taken to lie: what they import by dots is of the package.
ANYWHERE = "proxytune.some.room.file"


def named(package: str = "proxytune") -> set[str]:
    """The distributions that a package may import: `dev` also those of the extra of its name."""
    project = tomllib.loads((CONTAINERS / "pyproject.toml").read_text("utf-8"))["project"]
    lines = project["dependencies"] + project["optional-dependencies"].get(package, [])
    return {normal(re.split(r"[<>=!~;\[ ]", line)[0]) for line in lines}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def foreign(files: list[Path]) -> dict[str, set[str]]:
    """Every package of others that files import, wherever in them -> the files that do."""
    found: dict[str, set[str]] = {}
    for file in files:
        for module, _ in imports(ANYWHERE, file.read_text("utf-8")):
            top = module.partition(".")[0]
            if top not in ("proxytune", "dev") and top not in sys.stdlib_module_names:
                found.setdefault(top, set()).add(file.name)
    return found


# Reads the records of every installed package.
installed = cache(packages_distributions)


def distributions(top: str) -> set[str]:
    return {normal(name) for name in installed().get(top, ["not installed"])}


@pytest.mark.parametrize("room", ["proxytune", "dev"])
def test_what_a_room_imports_is_named(room):
    found = foreign(sorted((CONTAINERS / room).rglob("*.py")))
    assert "torch" in found
    unnamed = {top: files for top, files in found.items() if not distributions(top) & named(room)}
    assert unnamed == {}


def test_what_is_named_is_imported():
    found = foreign(sorted((CONTAINERS / "proxytune").rglob("*.py")))
    assert named() - set().union(*map(distributions, found)) == set()


def test_what_is_named_for_dev_alone_is_imported_by_dev_alone():
    extra = named("dev") - named()
    used, image = (
        set().union(*map(distributions, foreign(sorted((CONTAINERS / package).rglob("*.py")))))
        for package in ("dev", "proxytune")
    )
    assert extra <= used - image


def test_a_planted_import_is_found(tmp_path):
    file = tmp_path / "planted.py"
    file.write_text("import json\nfrom . import beside\n\ndef later():\n    from yaml.loader import Loader\n")
    assert foreign([file]) == {"yaml": {"planted.py"}}
    assert not distributions("yaml") & named()
