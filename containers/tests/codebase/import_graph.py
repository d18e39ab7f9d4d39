"""The import graph of Python files, read from their text without running them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CONTAINERS = Path(__file__).parents[2]
# `module` or `module:name`, as in the tables of families and stages.
REFERENCE = re.compile(r"(proxytune|dev)(\.\w+)+(:\w+)?")


def modules(package: str = "proxytune") -> dict[str, Path]:
    """Files of a package by module name; a package appears as its `__init__`."""
    files = sorted((CONTAINERS / package).rglob("*.py"))
    return {".".join(file.relative_to(CONTAINERS).with_suffix("").parts): file for file in files}


def imports(name: str, text: str) -> Iterator[tuple[str, list[str]]]:
    """Every module that a module's text names, in import statements anywhere in it and in strings.

    Args:
        name: the module's name; a package's ends in `.__init__`.

    Yields:
        The imported module, and the names that are imported from it.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = name.split(".")[: -node.level] if node.level else []
            yield ".".join([*above, *filter(None, [node.module])]), [alias.name for alias in node.names]
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and REFERENCE.fullmatch(node.value)
        ):
            yield node.value.partition(":")[0], []


def import_graph(texts: dict[str, str]) -> dict[str, set[str]]:
    """Build the graph module -> imported modules from the modules' texts."""
    graph: dict[str, set[str]] = {name: set() for name in texts}
    for name, text in texts.items():
        for module, names in imports(name, text):
            # `from package import module` imports a module, `from package import function` the package.
            below = {f"{module}.{one}" for one in names} & texts.keys()
            rest = len(below) < len(names) or not names
            own = {module, f"{module}.__init__"} & texts.keys() if rest else set()
            graph[name] |= (below | own) - {name}
    return graph


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, directly or indirectly."""
    reach = {name: reachable(name, graph) for name in graph}
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach[other]))
        for name in graph
        if name in reach[name]
    }
    return sorted(list(group) for group in groups)


def reachable(name: str, graph: dict[str, set[str]]) -> set[str]:
    """All modules that a module imports, directly or indirectly."""
    seen: set[str] = set()
    waiting = list(graph[name])
    while waiting:
        other = waiting.pop()
        if other not in seen:
            seen.add(other)
            waiting += graph[other]
    return seen
