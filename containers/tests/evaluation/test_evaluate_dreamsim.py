"""An evaluation measured by DreamSim, with a tiny model of its classes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from make_run import PLAN, make_run, without_stand_ins
from report_page import page_of

from dev import tiny_models
from proxytune.contract import schema
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS
from proxytune.contract.signals import StopRequest
from proxytune.evaluation.collect import collect
from proxytune.evaluation.evaluate import evaluate
from proxytune.metrics.dreamsim import DreamSimEncoder
from proxytune.metrics.pictures import open_picture


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, models: Path) -> tuple[Folders, dict[str, Any]]:
    plan = without_stand_ins(json.loads(PLAN.read_text()))
    plan["models"]["dreamsim"] = plan["models"]["dino"] | {"id": "dreamsim-tiny"}
    run = make_run(tmp_path_factory.mktemp("measured"), plan, models)
    tiny_models.write("dreamsim-tiny", run.base / "input" / "data" / CHANNELS.dreamsim)
    evaluate(run, {"stage": "evaluate", "seed": 7}, StopRequest())
    return run, plan


def metrics_of(run: Folders) -> dict[str, Any]:
    return json.loads((run.model / "metrics.json").read_text())


def test_scores_are_the_mean_similarity_to_the_photos(measured: tuple[Folders, dict[str, Any]]) -> None:
    run, plan = measured
    metrics = metrics_of(run)
    assert schema.check("metrics", metrics) is None
    images: Any = collect(run, plan)
    encoder = DreamSimEncoder(run.channel(CHANNELS.dreamsim), torch.device("cpu"))
    vectors = encoder.pictures([open_picture(one, one.read()) for one in images])
    photos = np.array([one.row == "photos" for one in images])
    cosines = vectors @ vectors[photos].T
    own = {(one.row, one.index): row for one, row in zip(images, cosines, strict=True)}
    for picture in metrics["pictures"]:
        row = own[picture["row"], picture["index"]]
        # A photo is compared with the others.
        others = np.delete(row, picture["index"]) if picture["row"] == "photos" else row
        assert picture["dreamsim"] == pytest.approx(others.mean(), abs=1e-5)
    assert metrics["evaluator"]["dreamsim"] == "dreamsim-tiny"
    assert metrics["evaluator"]["dreamsim_sha256"] == encoder.sha256
    assert metrics["comparison"]["dreamsim"]["pairs"] == 3


def test_the_table_and_the_page_show_it_and_the_verdict_does_not(
    measured: tuple[Folders, dict[str, Any]],
) -> None:
    run, _ = measured
    metrics = metrics_of(run)
    lines = list(csv.DictReader(io.StringIO((run.model / "metrics.csv").read_text())))
    means = {row["name"]: row["dreamsim"]["mean"] for row in metrics["rows"]}
    assert {line["row"]: float(line["dreamsim"]) for line in lines if line["kind"] == "mean"} == means
    assert "DreamSim" in page_of(run).text
    assert "DreamSim" not in metrics["verdict"]


def test_a_run_without_it_has_no_such_score(evaluated: Folders) -> None:
    metrics = metrics_of(evaluated)
    assert not [one for one in (*metrics["rows"], *metrics["pictures"]) if "dreamsim" in one]
    assert "dreamsim" not in (evaluated.model / "metrics.csv").read_text()
