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


def named() -> set[str]:
    lines = tomllib.loads((CONTAINERS / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    return {normal(re.split(r"[<>=!~;\[ ]", line)[0]) for line in lines}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def foreign(files: list[Path]) -> dict[str, set[str]]:
    """Every package of others that files import, wherever in them -> the files that do."""
    # Scripts find those beside them by their bare names; in the package every name is a whole one.
    scripts = {file.stem for file in files if CONTAINERS / "proxytune" not in file.parents}
    own = {"proxytune", *scripts}
    found: dict[str, set[str]] = {}
    for file in files:
        for module, _ in imports(ANYWHERE, file.read_text("utf-8")):
            top = module.partition(".")[0]
            if top not in own and top not in sys.stdlib_module_names:
                found.setdefault(top, set()).add(file.name)
    return found


# Reads the records of every installed package.
installed = cache(packages_distributions)


def distributions(top: str) -> set[str]:
    return {normal(name) for name in installed().get(top, ["not installed"])}


@pytest.mark.parametrize("room", ["proxytune", "tools", "bench"])
def test_what_a_room_imports_is_named(room):
    found = foreign(sorted((CONTAINERS / room).rglob("*.py")))
    assert "torch" in found
    unnamed = {top: files for top, files in found.items() if not distributions(top) & named()}
    assert unnamed == {}


def test_what_is_named_is_imported():
    found = foreign(sorted((CONTAINERS / "proxytune").rglob("*.py")))
    assert named() - set().union(*map(distributions, found)) == set()


def test_a_planted_import_is_found(tmp_path):
    file = tmp_path / "planted.py"
    file.write_text("import json\nfrom . import beside\n\ndef later():\n    from yaml.loader import Loader\n")
    assert foreign([file]) == {"yaml": {"planted.py"}}
    assert not distributions("yaml") & named()
