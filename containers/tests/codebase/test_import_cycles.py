"""Imports have no cycles: no module reaches itself, by any kind of import."""

import ast
import subprocess
import sys

import pytest
from import_graph import CONTAINERS, cycles, import_graph, modules

A = "proxytune.a"
B = "proxytune.package.b"


def test_there_is_no_import_cycle_not_even_in_functions_types_and_strings():
    files = {**modules(), **modules("dev")}
    graph = import_graph({name: file.read_text("utf-8") for name, file in files.items()})
    assert sum(map(len, graph.values())) > 2 * len(graph)
    assert cycles(graph) == []


@pytest.mark.parametrize(
    "back",
    [
        "import proxytune.a",
        "from proxytune import a",
        "from proxytune.a import something",
        "from .. import a",
        "from ..a import something",
        "def later():\n    from proxytune.a import something",
        "if TYPE_CHECKING:\n    from proxytune.a import Something",
        "FAMILIES = {'a': 'proxytune.a:Something'}",
    ],
)
def test_a_planted_cycle_is_found(back):
    planted = {A: "from proxytune.package.b import other\n", "proxytune.package.__init__": "", B: f"{back}\n"}
    assert cycles(import_graph(planted)) == [[A, B]]
    assert cycles(import_graph({**planted, B: "import json\n"})) == []


def test_a_package_that_imports_its_modules_is_on_a_cycle_only_when_they_import_it():
    texts = {"proxytune.package.__init__": "from proxytune.package.b import other\n", B: "import torch\n"}
    assert cycles(import_graph(texts)) == []
    importing = {**texts, B: "from proxytune.package import other\n"}
    assert cycles(import_graph(importing)) == [["proxytune.package.__init__", B]]


def test_modules_that_are_imported_by_name_are_named_in_full():
    """A name that is put together at run time would be an import that no test sees."""
    hidden = [
        (name, node.lineno)
        for name, file in {**modules(), **modules("dev")}.items()
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.JoinedStr)
        and isinstance(node.values[0], ast.Constant)
        and str(node.values[0].value).startswith(("proxytune.", "dev."))
    ]
    assert hidden == []


def test_the_server_starts_without_importing_torch():
    """Importing torch takes seconds, during which SageMaker already sends pings."""
    script = "import sys, proxytune.serving.server; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CONTAINERS, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
