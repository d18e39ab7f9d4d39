"""A run whose method trains no teacher: its student alone is measured and shown."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from make_run import PLAN, make_run, without_stand_ins, without_teacher

from proxytune.contract import schema
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.evaluation.evaluate import evaluate
from proxytune.metrics.intervals import Score


def run_of(base: Path, models: Path, trains_on: str) -> tuple[Folders, dict[str, Any]]:
    plan = without_teacher(without_stand_ins(json.loads(PLAN.read_text())), trains_on)
    assert schema.check("plan", plan) is None
    run = make_run(base, plan, models)
    evaluate(run, {"stage": "evaluate", "seed": 7}, StopRequest())
    return run, plan


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory, models: Path) -> tuple[Folders, dict[str, Any]]:
    return run_of(tmp_path_factory.mktemp("direct"), models, "references")


def test_the_student_alone_has_scores(direct: tuple[Folders, dict[str, Any]]) -> None:
    run, plan = direct
    assert not (run.base / "input" / "data" / "proxies").exists()
    metrics = json.loads((run.model / "metrics.json").read_text())
    assert [row["name"] for row in metrics["rows"]] == ["photos", "student-base", "student"]
    assert set(metrics["comparison"].values()) == {None}
    student = next(row for row in metrics["rows"] if row["name"] == "student")
    assert student["pictures"] == plan["samples"]["pictures"]
    with (run.model / "metrics.csv").open() as file:
        rows = {line["row"] for line in csv.DictReader(file)}
    assert rows == {"photos", "student-base", "student"}


def test_the_verdict_is_of_the_student(direct: tuple[Folders, dict[str, Any]]) -> None:
    metrics = json.loads((direct[0].model / "metrics.json").read_text())
    scores = {row["name"]: Score(**row["dino"]) for row in metrics["rows"]}
    assert f"{scores['student'].mean:.2f} for the student, against a floor of" in metrics["verdict"]
    assert "teacher" not in metrics["verdict"]


def test_the_page_says_how_the_student_was_tuned_and_shows_no_teacher(
    direct: tuple[Folders, dict[str, Any]],
) -> None:
    page = (direct[0].model / "index.html").read_text()
    assert "tuned on the photos without a teacher (direct tuning, LoRA)" in page
    assert "--method proxy" in page
    for absent in (
        'id="proxies"',
        "--of teacher",
        "Teacher, untuned",
        "retained by the student",
        "<b>Teacher",
    ):
        assert absent not in page
    # Every link within the page leads somewhere.
    for anchor in {part.split('"')[0] for part in page.split('href="#')[1:]}:
        assert f'id="{anchor}"' in page


def test_the_page_counts_the_variations(tmp_path: Path, models: Path) -> None:
    run, _ = run_of(tmp_path, models, "augmented")
    page = (run.model / "index.html").read_text()
    assert "was trained on 24 variations of these photos" in page
    assert "tuned on variations of the photos" in page
