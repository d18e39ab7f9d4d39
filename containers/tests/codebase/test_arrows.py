"""Files import downwards only: no file of the package reaches itself, by whatever kind of import."""

import ast
import subprocess
import sys

import pytest
from reading import CONTAINERS, arrows, circles, modules

A = "proxytune.a"
B = "proxytune.room.b"


def test_the_packages_have_no_circle_of_imports_not_even_inside_functions_types_and_strings():
    files = {**modules(), **modules("dev")}
    found = arrows({name: file.read_text("utf-8") for name, file in files.items()})
    assert sum(map(len, found.values())) > 2 * len(found)
    assert circles(found) == []


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
def test_a_planted_circle_is_found(back):
    planted = {A: "from proxytune.room.b import other\n", "proxytune.room.__init__": "", B: f"{back}\n"}
    assert circles(arrows(planted)) == [[A, B]]
    assert circles(arrows({**planted, B: "import json\n"})) == []


def test_a_package_that_offers_its_files_is_on_a_circle_only_when_they_ask_it():
    texts = {"proxytune.room.__init__": "from proxytune.room.b import other\n", B: "import torch\n"}
    assert circles(arrows(texts)) == []
    asking = {**texts, B: "from proxytune.room import other\n"}
    assert circles(arrows(asking)) == [["proxytune.room.__init__", B]]


def test_modules_are_named_in_full_where_they_are_imported_by_name():
    """A name put together at run time would be an arrow that nobody sees."""
    hidden = [
        (name, node.lineno)
        for name, file in {**modules(), **modules("dev")}.items()
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.JoinedStr)
        and isinstance(node.values[0], ast.Constant)
        and str(node.values[0].value).startswith(("proxytune.", "dev."))
    ]
    assert hidden == []


def test_the_server_listens_before_torch_is_read():
    """Which takes seconds, while SageMaker asks whether anybody is there."""
    script = "import sys, proxytune.serving.server; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CONTAINERS, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
