"""names.json: the names and limits that TypeScript and Python share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxytune.contract.names import CHANNELS, FILE, LIMITS, NAMES, SEEDS, STAGE_ROLES, parse

SOURCE = Path(__file__).parents[3] / "lib" / "core" / "contract" / "names.json"


def test_the_names_are_those_of_the_file_that_typescript_reads() -> None:
    source = json.loads(SOURCE.read_text("utf-8"))
    assert json.loads(FILE.read_text("utf-8")) == source
    assert parse(SOURCE.read_text("utf-8")) == NAMES
    assert source["limits"]["scoredProxies"] == LIMITS.scored_proxies
    assert source["channels"]["samplesTeacher"] == CHANNELS.samples_teacher
    assert source["seeds"]["streams"]["validation"] == SEEDS.streams.validation
    assert source["stageRoles"] == STAGE_ROLES


@pytest.mark.parametrize(
    "change",
    [
        {"limits": {}},
        {"limits": {"photos": 1, "proxies": 1, "steps": 1, "scoredProxies": 1, "unknown": 2}},
        {"seeds": {"streamWidth": 2, "streams": {"proxies": 0}}},
        {"unknown": {}},
    ],
    ids=["a limit is missing", "a limit is unknown", "a stream is missing", "a section is unknown"],
)
def test_a_file_of_another_form_is_refused_at_once(change: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        parse(json.dumps(json.loads(FILE.read_text("utf-8")) | change))
