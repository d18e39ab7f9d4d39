"""The layers of the package, and the imports that break them."""

from __future__ import annotations

# From the top. A package imports from itself and from lower layers.
LAYERS = (
    ("evaluation", "serving", "importing"),
    ("teacher", "student", "generation", "curation"),
    ("masks",),
    ("training", "images", "metrics", "drawn_world"),
    ("contract",),
)
LEVEL = {package: at for at, layer in enumerate(LAYERS) for package in layer}
# Allowed imports within a layer, by the prefixes of both names, each with its reason.
SIDEWAYS = {
    ("teacher", "generation"): "its generator implements the interface, and shares the batch backoff",
    ("student", "generation"): "its generator implements the interface, and shares the batch backoff",
    ("student.reference_set", "teacher.photos"): "a student of the references learns the teacher's squares",
    ("generation.loading", "teacher.families.registry"): "by name in a table, imported only when used",
    ("generation.loading", "student.families.registry"): "by name in a table, imported only when used",
}
# Above all layers: the entry point, which selects the job, and the empty package itself.
ABOVE = ("__main__", "__init__")


def wrong_imports(graph: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The imports that break the layers.

    Args:
        graph: module -> imported modules.

    Raises:
        KeyError: a package does not belong to any layer.
    """
    return sorted(
        (name, other) for name, others in graph.items() for other in others if not _allowed(name, other)
    )


def sideways(name: str, other: str) -> tuple[str, str] | None:
    """The row of `SIDEWAYS` that allows an import, or None."""
    return next((row for row in SIDEWAYS if all(map(_within, (name, other), row))), None)


def _within(name: str, prefix: str) -> bool:
    return f"{name}.".startswith(f"proxytune.{prefix}.")


def _allowed(name: str, other: str) -> bool:
    package, below = name.split(".")[1], other.split(".")[1]
    if package in ABOVE or below in ABOVE:
        return package in ABOVE or below == "__init__"
    return package == below or LEVEL[package] < LEVEL[below] or sideways(name, other) is not None
