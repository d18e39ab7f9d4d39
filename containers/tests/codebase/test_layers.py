"""Imports run downwards through the layers of the package, never to `dev`; every module is used."""

import pytest
from import_graph import import_graph, imports, modules, reachable
from layers import ABOVE, LEVEL, SIDEWAYS, sideways, wrong_imports

ENTRY = "proxytune.__main__"


def read(package="proxytune"):
    return {name: file.read_text("utf-8") for name, file in modules(package).items()}


def to_dev(texts):
    """The modules that import `dev`, in statements or by a name in a string."""
    return sorted(
        name
        for name, text in texts.items()
        if any(module.partition(".")[0] == "dev" for module, _ in imports(name, text))
    )


def unused(texts):
    """The modules that no job imports: those that the entry point does not reach, except packages."""
    used = reachable(ENTRY, import_graph(texts)) | {ENTRY}
    return sorted(name for name in texts.keys() - used if not name.endswith(".__init__"))


def test_the_package_imports_downwards_only():
    graph = import_graph(read())
    assert {name.split(".")[1] for name in graph} == {*ABOVE, *LEVEL}
    assert wrong_imports(graph) == []


def test_every_allowed_import_within_a_layer_exists():
    used = {sideways(name, other) for name, others in import_graph(read()).items() for other in others}
    assert SIDEWAYS.keys() <= used


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("proxytune.contract.a", "from proxytune.images.b import something"),
        ("proxytune.metrics.a", "from proxytune.curation import b"),
        ("proxytune.training.a", "def later():\n    import proxytune.teacher.b"),
        ("proxytune.teacher.a", "from proxytune.evaluation.b import something"),
        ("proxytune.generation.a", "PLACES = {'a': 'proxytune.serving.b:Something'}"),
        ("proxytune.curation.a", "from ..importing.b import something"),
        ("proxytune.images.a", "if TYPE_CHECKING:\n    from proxytune.training.b import Something"),
        ("proxytune.generation.a", "PLACES = {'a': 'proxytune.teacher.b:Something'}"),
        ("proxytune.student.a", "from proxytune.teacher.b import something"),
        ("proxytune.evaluation.a", "from proxytune.serving.b import something"),
        ("proxytune.contract.a", "from proxytune.__main__ import main"),
    ],
)
def test_a_planted_import_upwards_or_sideways_is_found(module, text):
    others = ("images", "curation", "teacher", "evaluation", "serving", "importing", "training")
    planted = {"proxytune.__main__": "", **{f"proxytune.{package}.b": "" for package in others}, module: text}
    assert [name for name, _ in wrong_imports(import_graph(planted))] == [module]
    assert wrong_imports(import_graph({**planted, module: "import json"})) == []


def test_a_package_outside_all_layers_is_an_error():
    planted = {
        "proxytune.unknown.a": "from proxytune.contract.b import something",
        "proxytune.contract.b": "",
    }
    with pytest.raises(KeyError):
        wrong_imports(import_graph(planted))


def test_the_package_never_imports_dev():
    assert to_dev(read()) == []
    # Such imports are found at all.
    assert len(to_dev(read("dev"))) > 10


@pytest.mark.parametrize(
    "text",
    [
        "import dev.golden",
        "def later():\n    from dev.tiny_models import write",
        "MODELS = {'a': 'dev.a:write'}",
    ],
)
def test_a_planted_import_of_dev_is_found(text):
    assert to_dev({"proxytune.a": text, "proxytune.b": "import json"}) == ["proxytune.a"]


def test_every_module_of_the_image_is_imported_by_a_job():
    assert unused(read()) == []


def test_a_planted_module_that_no_job_imports_is_found():
    planted = {
        ENTRY: "STAGES = {'a': 'proxytune.a.job:run'}",
        "proxytune.a.__init__": "",
        "proxytune.a.job": "def run():\n    from proxytune.a import used",
        "proxytune.a.used": "",
        "proxytune.a.left": "from proxytune.a import used",
    }
    assert unused(planted) == ["proxytune.a.left"]
