"""The report of a run with a curation, with the results of the real job."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from make_run import PLAN, curate_proxies, make_run

from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.evaluation.evaluate import evaluate
from proxytune.evaluation.report.curves import curve

# The tiny encoders have random weights, so the limits are chosen to drop some pictures, not the right ones.
CURATION = {
    "fidelity": 0.97,
    "prompt": 0.0,
    "duplicates": 0.3,
    "safety": None,
    "likeness": 0.77,
    "minimum": 1,
    "adaptive": {"reach": 0.4, "newShare": 0.1, "drift": 0.05},
    "rounds": [12, 24],
}


Evaluated = tuple[Folders, dict[str, Any], str]
"""A curated run, its curation.json, and its page."""


def evaluated_with(base: Path, models: Path, **changes: Any) -> tuple[Folders, dict[str, Any]]:
    """A run whose 24 proxies were curated by the stage itself, and which was evaluated."""
    plan = json.loads(PLAN.read_text())
    plan["curation"] = CURATION | changes
    plan["request"] |= {"curation": True, "adaptiveProxies": plan["curation"]["adaptive"] is not None}
    folders = make_run(base, plan, models)
    curation = curate_proxies(folders, len(plan["curation"]["rounds"]))
    evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    return folders, curation


@pytest.fixture(scope="session")
def curated(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Evaluated:
    folders, curation = evaluated_with(tmp_path_factory.mktemp("curated"), models)
    return folders, curation, (folders.model / "index.html").read_text()


def test_only_kept_proxies_are_scored(curated: Evaluated) -> None:
    folders, curation, page = curated
    assert 0 < curation["kept"] < curation["drawn"] == 24
    metrics = json.loads((folders.model / "metrics.json").read_text())
    row = next(row for row in metrics["rows"] if row["name"] == "proxies")
    scored = {picture["index"] for picture in metrics["pictures"] if picture["row"] == "proxies"}
    kept = {picture["index"] for picture in curation["pictures"] if picture["kept"]}
    assert (row["pictures"], scored) == (curation["kept"], kept)
    assert metrics["curation"] == {
        "drawn": 24,
        "kept": curation["kept"],
        "dropped": curation["dropped"],
        "rounds": 2,
        "satisfied": curation["adaptive"]["satisfied"],
    }
    assert f"All {curation['kept']} are shown and scored." in page


def test_every_dropped_proxy_is_shown_with_its_reasons(
    curated: Evaluated,
) -> None:
    folders, curation, page = curated
    assert f"{curation['kept']} of 24 were kept, {24 - curation['kept']} dropped." in page
    section = page[page.index('id="curation"') : page.index('id="stages"')]
    for picture in curation["pictures"]:
        shown = f"pictures/dropped/{picture['index']:06d}.png"
        assert ((folders.model / shown).is_file(), shown in section) == (not picture["kept"],) * 2
        for reason in picture["reasons"]:
            assert reason["why"] in section
    assert json.loads((folders.model / "curation.json").read_text()) == curation
    limits = curation["limits"]
    assert f"at least {limits['fidelity']:.3f}" in section
    assert f"more than {limits['duplicates']:.3f}" in section
    assert section.count("not checked") == 2
    assert "has no words for it" in section


def test_the_rounds_are_shown_with_their_gains(curated: Evaluated) -> None:
    _, curation, page = curated
    section = page[page.index('id="adaptive"') : page.index('id="stages"')]
    assert "All 24 proxies were generated" in section
    for entry in curation["adaptive"]["rounds"]:
        assert re.search(
            rf'<th scope="row">{entry["round"]}</th><td class="figure">{entry["drawn"]}</td>'
            rf'<td class="figure">{entry["kept"]}</td>'
            rf'<td class="figure">{entry["new_share"] * 100:.0f}&nbsp;%',
            section,
        )
        assert f"{entry['drawn']}: {entry['new_share']:.3f}" in section
    assert section.count("<circle") == 2


def test_a_run_that_ended_early_says_so(tmp_path: Path, models: Path) -> None:
    changes = {"fidelity": None, "prompt": None, "duplicates": None, "rounds": [24, 48]}
    plan = json.loads(PLAN.read_text()) | {"proxies": 48}
    plan["curation"] = CURATION | changes
    plan["request"] |= {"curation": False, "adaptiveProxies": True}
    folders = make_run(tmp_path, json.loads(PLAN.read_text()), models)
    (tmp_path / "input/data/plan/plan.json").write_text(json.dumps(plan))
    curate_proxies(folders, 1)
    evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    page = (folders.model / "index.html").read_text()
    assert "Generation ended after 24 of at most 48 proxies" in page
    assert "No proxy was dropped" in page
    assert "All 24 are shown and scored." in page


def test_a_run_without_a_curation_has_no_such_section(evaluated: Folders) -> None:
    page = (evaluated.model / "index.html").read_text()
    assert "Curation" not in page
    assert "dropped" not in page[page.index("<body>") :]
    assert "curation" not in json.loads((evaluated.model / "metrics.json").read_text())


def test_a_curve_spans_its_scale_and_rises_with_its_values() -> None:
    result = curve("New", "share", [(10, 0.5, "passed"), (20, 0.1, "chosen")], ("below", 0.1))
    first, last = result["points"]
    assert (first["x"], last["x"]) == (175, 312)
    assert first["y"] < last["y"] == result["guard"]["y"]
    assert result["low"] < 0.1 < 0.5 < result["high"]
    assert result["line"] == f"175.0,{first['y']} 312.0,{last['y']}"
