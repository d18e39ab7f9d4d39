"""The code imports exactly the dependencies that pyproject.toml names.

A package that is only installed as a dependency of another one would disappear when that one drops it, and
the image contains only what is named.
"""

from __future__ import annotations

import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from import_graph import CONTAINERS, imports

# The assumed module name of files: their relative imports are then imports of the package.
ANYWHERE = "proxytune.some.package.file"


def declared(package: str = "proxytune") -> set[str]:
    """The distributions that a package may import; for `dev` also those of the extra `dev`."""
    project = tomllib.loads((CONTAINERS / "pyproject.toml").read_text("utf-8"))["project"]
    lines = project["dependencies"] + project["optional-dependencies"].get(package, [])
    return {normalized(re.split(r"[<>=!~;\[ ]", line)[0]) for line in lines}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def third_party(files: list[Path]) -> dict[str, set[str]]:
    """Third-party packages that files import, anywhere in them -> the files that do."""
    found: dict[str, set[str]] = {}
    for file in files:
        for module, _ in imports(ANYWHERE, file.read_text("utf-8")):
            top = module.partition(".")[0]
            if top not in ("proxytune", "dev") and top not in sys.stdlib_module_names:
                found.setdefault(top, set()).add(file.name)
    return found


# Reads the metadata of every installed package.
installed = cache(packages_distributions)


def distributions(top: str) -> set[str]:
    return {normalized(name) for name in installed().get(top, ["not installed"])}


@pytest.mark.parametrize("package", ["proxytune", "dev"])
def test_every_import_is_declared(package):
    found = third_party(sorted((CONTAINERS / package).rglob("*.py")))
    assert "torch" in found
    undeclared = {top: files for top, files in found.items() if not distributions(top) & declared(package)}
    assert undeclared == {}


def test_every_declared_dependency_is_imported():
    found = third_party(sorted((CONTAINERS / "proxytune").rglob("*.py")))
    assert declared() - set().union(*map(distributions, found)) == set()


def test_dependencies_declared_for_dev_only_are_imported_by_dev_only():
    extra = declared("dev") - declared()
    used, image = (
        set().union(*map(distributions, third_party(sorted((CONTAINERS / package).rglob("*.py")))))
        for package in ("dev", "proxytune")
    )
    assert extra <= used - image


def test_a_planted_import_is_found(tmp_path):
    file = tmp_path / "planted.py"
    file.write_text(
        "import json\nfrom . import sibling\n\ndef later():\n    from yaml.loader import Loader\n"
    )
    assert third_party([file]) == {"yaml": {"planted.py"}}
    assert not distributions("yaml") & declared()
