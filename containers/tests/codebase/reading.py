"""What Python files import, read from their text without running them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CONTAINERS = Path(__file__).parents[2]
# `module`, or `module:name`, as tables of families and stages have them.
PLACE = re.compile(r"(proxytune|dev)(\.\w+)+(:\w+)?")


def modules(package: str = "proxytune") -> dict[str, Path]:
    """The modules of a package, by name; a package in it stands for its `__init__`."""
    files = sorted((CONTAINERS / package).rglob("*.py"))
    return {".".join(file.relative_to(CONTAINERS).with_suffix("").parts): file for file in files}


def imports(name: str, text: str) -> Iterator[tuple[str, list[str]]]:
    """Every module that a module's text names, in statements anywhere in it, and in strings.

    Args:
        name: of the module; that of a package ends in `.__init__`.

    Yields:
        The module, and which names are taken from it.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = name.split(".")[: -node.level] if node.level else []
            yield ".".join([*above, *filter(None, [node.module])]), [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and PLACE.fullmatch(node.value):
            yield node.value.partition(":")[0], []


def arrows(texts: dict[str, str]) -> dict[str, set[str]]:
    """Of each module which others it names, by the text of each."""
    found: dict[str, set[str]] = {name: set() for name in texts}
    for name, text in texts.items():
        for module, names in imports(name, text):
            # `from package import module` names a module, `from package import function` the package's own.
            below = {f"{module}.{one}" for one in names} & texts.keys()
            rest = len(below) < len(names) or not names
            own = {module, f"{module}.__init__"} & texts.keys() if rest else set()
            found[name] |= (below | own) - {name}
    return found


def circles(found: dict[str, set[str]]) -> list[list[str]]:
    """The modules that lie on a circle of arrows, each circle's together."""
    reach = {name: reached(name, found) for name in found}
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach[other]))
        for name in found
        if name in reach[name]
    }
    return sorted(list(group) for group in groups)


def reached(name: str, found: dict[str, set[str]]) -> set[str]:
    """All modules that a module imports, and those that these import."""
    seen: set[str] = set()
    waiting = list(found[name])
    while waiting:
        other = waiting.pop()
        if other not in seen:
            seen.add(other)
            waiting += found[other]
    return seen
