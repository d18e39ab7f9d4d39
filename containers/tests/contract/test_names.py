"""names.json: what TypeScript and Python say alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxytune.contract.names import FILE, LIMITS, NAMES, parse

SOURCE = Path(__file__).parents[3] / "lib" / "core" / "contract" / "names.json"


def test_the_limits_are_those_of_the_file_that_the_plan_reads() -> None:
    source = json.loads(SOURCE.read_text("utf-8"))
    assert json.loads(FILE.read_text("utf-8")) == source
    assert parse(SOURCE.read_text("utf-8")) == NAMES
    assert source["limits"]["scoredProxies"] == LIMITS.scored_proxies


@pytest.mark.parametrize(
    "change",
    [{"limits": {}}, {"limits": {"scoredProxies": 1, "unknown": 2}}, {"unknown": {}}],
    ids=["a limit is missing", "a limit is unknown", "a section is unknown"],
)
def test_a_file_of_another_form_is_refused_at_once(change: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        parse(json.dumps(json.loads(FILE.read_text("utf-8")) | change))
