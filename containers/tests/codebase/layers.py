"""The layers of the package, and which imports break them."""

from __future__ import annotations

# From the top. A package imports from itself and from lower layers.
LAYERS = (
    ("evaluation", "serving", "importing"),
    ("teacher", "student", "generation", "curation"),
    ("training", "images", "metrics", "drawn_world"),
    ("contract",),
)
LEVEL = {package: at for at, layer in enumerate(LAYERS) for package in layer}
# Imports within a layer, by the beginnings of both names, each with its reason.
SIDEWAYS = {
    ("teacher", "generation"): "a family offers a generator, and gives memory back between batches",
    ("student", "generation"): "a family offers a generator, and gives memory back between batches",
    ("generation.loading", "teacher.families.registry"): "by name in a table, imported when it is chosen",
    ("generation.loading", "student.families.registry"): "by name in a table, imported when it is chosen",
}
# What is above all layers: the entry point chooses among the jobs, and the package itself is empty.
ABOVE = ("__main__", "__init__")


def wrong_imports(found: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The imports that break the layers.

    Args:
        found: of each module which others it names.

    Raises:
        KeyError: a package is in no layer.
    """
    return sorted(
        (name, other) for name, others in found.items() for other in others if not _allowed(name, other)
    )


def sideways(name: str, other: str) -> tuple[str, str] | None:
    """The row of `SIDEWAYS` that allows an import, if there is one."""
    return next((row for row in SIDEWAYS if all(map(_within, (name, other), row))), None)


def _within(name: str, beginning: str) -> bool:
    return f"{name}.".startswith(f"proxytune.{beginning}.")


def _allowed(name: str, other: str) -> bool:
    package, below = name.split(".")[1], other.split(".")[1]
    if package in ABOVE or below in ABOVE:
        return package in ABOVE or below == "__init__"
    return package == below or LEVEL[package] < LEVEL[below] or sideways(name, other) is not None
