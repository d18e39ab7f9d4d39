"""mypy knows the fields of what crosses from TypeScript: a key that does not exist is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

CONTAINERS = Path(__file__).parents[2]
HEAD = """
from proxytune.contract.plan_file import read_plan
from proxytune.contract.types.hyperparameters import TeachHyperparameters
from proxytune.contract.types.plan import Plan


def planted(plan: Plan, hyperparameters: TeachHyperparameters) -> object:
    return {expression}
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def check(folder: Path, cache: Path, expression: str) -> str:
    """Everything that mypy reports of an expression, by the package's own settings."""
    file = folder / "planted.py"
    file.write_text(HEAD.replace("{expression}", expression), "utf-8")
    settings = ["--config-file", str(CONTAINERS / "pyproject.toml"), "--cache-dir", str(cache)]
    report, errors, _ = api.run([*settings, str(file)])
    assert errors == ""
    return report


@pytest.mark.parametrize(
    "expression",
    [
        'plan["prompts"]["proxy"], hyperparameters["steps"]',
        '[model["licence"]["name"] for model in (plan["models"]["teacher"], plan["models"]["student"])]',
        '[stage["spot"] for stage in plan["stages"] if stage["kind"] == "training"]',
    ],
)
def test_keys_that_exist_are_accepted(
    expression: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CONTAINERS)
    assert "Success" in check(tmp_path, cache, expression)


@pytest.mark.parametrize(
    ("expression", "key"),
    [
        ('plan["prefixes"]', "prefixes"),
        ('plan["models"]["teachers"]', "teachers"),
        ('hyperparameters["stepz"]', "stepz"),
        ('[stage["spot"] for stage in plan["stages"]]', "spot"),
        ('hyperparameters["steps"] + hyperparameters["token_word"]', "Unsupported operand"),
    ],
)
def test_a_wrong_key_is_an_error(
    expression: str, key: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CONTAINERS)
    report = check(tmp_path, cache, expression)
    assert key in report
    assert "Found 1 error" in report
