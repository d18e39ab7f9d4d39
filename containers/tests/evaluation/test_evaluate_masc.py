"""An evaluation measured by MaSC, with the small trained models, of subjects of the drawn world."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from make_run import make_run, without_stand_ins
from report_page import page_of

from proxytune.contract import schema
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.evaluation import evaluate as module
from proxytune.evaluation.evaluate import evaluate

MINIATURE = Path(__file__).parents[2] / "models" / "miniature"
JOB: Any = {"stage": "evaluate", "seed": 7, "mask_prompt": "a dog"}


def measured_run(base: Path, plan: dict[str, Any], models: Path) -> Folders:
    folders = make_run(base, without_stand_ins(plan), models)
    for role, name in (("siglip", "siglip-miniature"), ("segmenter", "clipseg-miniature")):
        shutil.copytree(MINIATURE / name, base / "input" / "data" / role)
        plan["models"][role] = plan["models"]["clip"] | {"id": name}
    (folders.channel("plan") / "plan.json").write_text(json.dumps(plan))
    evaluate(folders, JOB, StopRequest())
    return folders


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Folders:
    plan = json.loads((Path(__file__).parent / "fixtures" / "plan.json").read_text())
    return measured_run(tmp_path_factory.mktemp("measured"), plan, models)


def metrics_of(folders: Folders) -> dict[str, Any]:
    return json.loads((folders.model / "metrics.json").read_text())


def test_every_row_image_and_comparison_has_both_scores(measured: Folders) -> None:
    metrics = metrics_of(measured)
    assert schema.check("metrics", metrics) is None
    for row in metrics["rows"]:
        assert row["masc_identity"]["low"] <= row["masc_identity"]["mean"] <= row["masc_identity"]["high"]
        # Photos have no prompt.
        assert (row["masc_prompt"] is None) == (row["name"] == "photos")
    assert all("masc_identity" in picture for picture in metrics["pictures"])
    assert metrics["comparison"]["masc_identity"]["pairs"] == 3
    assert (metrics["evaluator"]["siglip"], len(metrics["evaluator"]["segmenter_sha256"])) == (
        "siglip-miniature",
        64,
    )


def test_the_table_and_the_page_show_them(measured: Folders) -> None:
    lines = list(csv.DictReader(io.StringIO((measured.model / "metrics.csv").read_text())))
    student = next(row for row in metrics_of(measured)["rows"] if row["name"] == "student")
    assert float(lines[5]["masc_identity"]) == student["masc_identity"]["mean"]
    text = page_of(measured).text
    assert "MaSC identity" in text
    assert "MaSC prompt" in text


def test_a_run_without_the_encoder_has_neither(evaluated: Folders) -> None:
    metrics = metrics_of(evaluated)
    assert not [one for one in (*metrics["rows"], *metrics["pictures"]) if "masc_identity" in one]
    assert "masc_identity" not in (evaluated.model / "metrics.csv").read_text()


def test_scores_do_not_depend_on_the_batch(
    tmp_path: Path, plan: dict[str, Any], models: Path, measured: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 5)
    one, other = metrics_of(measured_run(tmp_path, plan, models)), metrics_of(measured)
    for first, second in zip(one["pictures"], other["pictures"], strict=True):
        for name in ("masc_identity", "masc_prompt"):
            assert first[name] == pytest.approx(second[name], abs=1e-5)
