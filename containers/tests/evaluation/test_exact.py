"""The exact measures in metrics and report, for a run whose request has the ground truth of its subject."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from make_run import PLAN, make_run, without_stand_ins
from PIL import Image

from dev.drawn_subjects.export import ground_truth_of
from dev.drawn_subjects.subjects import subject_named
from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.drawn_world.appearance import sample_appearance
from proxytune.drawn_world.ground_truth.measures import Exact, prompted_context
from proxytune.drawn_world.render import Picture, render
from proxytune.drawn_world.scene import CONTEXTS, sample_pose
from proxytune.evaluation.evaluate import evaluate
from proxytune.evaluation.exact import EXACT, exact_row, exact_scorer
from proxytune.evaluation.metrics_file import COLUMNS, EXACT_COLUMNS
from proxytune.evaluation.report.scores import exact_table

SUBJECT = subject_named("held-back-robot")
ROWS = ("photos", "teacher-base", "student-base", "proxies", "teacher", "student")


def as_image(picture: Picture) -> Image.Image:
    return Image.fromarray(picture.pixels)


def drawn(stage: str, variant: str, prompt: str, seed: int, side: int) -> Image.Image:
    """The teacher's are right, the student's have another trim; untuned: any fish in a wrong context."""
    draws = Random(f"{stage} {variant} {prompt} {seed}")
    asked = prompted_context(prompt)
    if variant == "base":
        elsewhere = CONTEXTS[0 if asked is None else CONTEXTS.index(asked) - 1]
        picture = render(sample_appearance(draws, "fish"), sample_pose(draws, elsewhere))
    else:
        wrong = replace(SUBJECT.appearance, trim=(218, 190, 43))
        look = wrong if stage == "sample-student" else SUBJECT.appearance
        picture = render(look, sample_pose(draws, asked))
    return as_image(picture).resize((side, side), Image.Resampling.NEAREST)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Folders:
    """An evaluated run of a subject of the drawn domain; only read it."""
    plan = without_stand_ins(json.loads(PLAN.read_text().replace("dog", SUBJECT.category)))
    plan["request"]["truth"] = json.loads(json.dumps(ground_truth_of(SUBJECT.appearance)))
    photos = [
        as_image(picture).resize((512, 512), Image.Resampling.NEAREST) for picture in SUBJECT.references()
    ]
    run = make_run(tmp_path_factory.mktemp("measured"), plan, models, photos, drawn)
    evaluate(run, {"stage": "evaluate", "seed": 7}, StopRequest())
    return run


def metrics_of(folders: Folders) -> dict[str, Any]:
    return json.loads((folders.model / "metrics.json").read_text())


def test_every_row_is_compared_with_the_ground_truth(measured: Folders) -> None:
    metrics = metrics_of(measured)
    assert schema.check("metrics", metrics) is None
    exact = {row["name"]: row["exact"] for row in metrics["rows"]}
    assert tuple(exact) == ROWS
    palette = {name: row["palette"]["mean"] for name, row in exact.items()}
    assert max(palette["photos"], palette["proxies"], palette["teacher"]) < 2
    assert palette["teacher"] + 3 < palette["student"]
    assert palette["student"] + 3 < min(palette["teacher-base"], palette["student-base"])
    for name, row in exact.items():
        untuned = name.endswith("-base")
        assert row["category"]["mean"] == (0 if untuned else 1)
        assert (row["shape"]["mean"] > 0.95) is not untuned
        if name in ("photos", "proxies"):
            assert row["context"] is None
        else:
            assert row["context"]["mean"] == (0 if untuned else 1)
    assert exact["teacher"]["pattern"]["mean"] == exact["student"]["pattern"]["mean"] == 1


def test_means_are_those_of_the_images_and_of_the_table(measured: Folders) -> None:
    metrics = metrics_of(measured)
    with (measured.model / "metrics.csv").open(newline="") as file:
        table = csv.DictReader(file)
        assert tuple(table.fieldnames or ()) == COLUMNS + EXACT_COLUMNS
        lines = list(table)
    for row, line in zip(metrics["rows"], lines, strict=False):
        pictures = [one["exact"] for one in metrics["pictures"] if one["row"] == row["name"]]
        for name in EXACT:
            values = [float(one[name]) for one in pictures if one[name] is not None]
            if not values:
                assert row["exact"][name] is None
                assert line[name] == line[f"{name}_low"] == ""
                continue
            assert row["exact"][name]["mean"] == pytest.approx(sum(values) / len(values), abs=1e-6)
            assert (line[name], line[f"{name}_high"]) == (
                str(row["exact"][name]["mean"]),
                str(row["exact"][name]["high"]),
            )
    for picture, line in zip(metrics["pictures"], lines[len(metrics["rows"]) :], strict=True):
        for name, value in picture["exact"].items():
            assert line[name] == (
                "" if value is None else str(int(value) if isinstance(value, bool) else value)
            )


def test_the_page_shows_them_next_to_the_encoders(measured: Folders) -> None:
    page = (measured.model / "index.html").read_text()
    assert (
        page.index('id="scores"') < page.index("Compared with the ground truth") < page.index('id="samples"')
    )
    for title in (
        "Palette distance",
        "Pattern right",
        "Shape",
        "Category right",
        "Context right",
        "less is better",
    ):
        assert title in page
    table = exact_table(metrics_of(measured)["rows"])
    assert table is not None
    assert [row["name"] for row in table["rows"]] == [
        *("photos", "proxies", "teacher", "student", "teacher-base", "student-base")
    ]
    student = dict(table["rows"][3]["cells"])["palette"]
    assert student.ceiling_at < student.mean_at < student.floor_at


def test_without_a_ground_truth_there_are_no_exact_measures(evaluated: Folders) -> None:
    metrics = metrics_of(evaluated)
    assert not [entry for entry in metrics["rows"] + metrics["pictures"] if "exact" in entry]
    assert "Compared with the ground truth" not in (evaluated.model / "index.html").read_text()
    assert exact_table(metrics["rows"]) is None


def test_a_ground_truth_that_cannot_be_measured_ends_the_job_at_once(
    plan: dict[str, Any], folders: Folders
) -> None:
    plan["request"]["truth"] = ground_truth_of(SUBJECT.appearance)
    (folders.channel("plan") / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(ProxytuneError, match="category 'dog'") as caught:
        evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    assert caught.value.name == "RequestInvalid"
    assert not folders.model.exists()


def test_the_scorer_without_a_ground_truth_returns_none(plan: dict[str, Any]) -> None:
    assert list(exact_scorer(plan)([Image.new("RGB", (8, 8))] * 2, [None, "a dog"])) == [None, None]


def test_a_row_counts_contexts_only_where_prompts_name_them() -> None:
    measures = [Exact(40.0, 0.5, True, True, asked) for asked in (True, False, None)]
    row = exact_row(measures, 1, ["a", "b", "b"])
    assert row["palette"] == {"mean": 40.0, "low": 40.0, "high": 40.0}
    assert row["context"] is not None
    assert row["context"]["mean"] == 0.5
    assert row["pattern"]["mean"] == 1
