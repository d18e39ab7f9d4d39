from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import math
from typing import Any

import pytest
from make_run import without_stand_ins

from proxytune.contract import schema
from proxytune.contract.folders import Folders
from proxytune.evaluation.metrics_file import COLUMNS, LIKENESS, as_csv, build_metrics
from proxytune.evaluation.pictures import ScoredPicture, View
from proxytune.metrics.pictures import Picture

EVALUATOR = {
    "clip": "clip-tiny",
    "dino": "dino-tiny",
    "clip_sha256": "0" * 64,
    "dino_sha256": "1" * 64,
    "versions": {"torch": "2.13.0"},
}


def read(folders: Folders) -> dict[str, Any]:
    return json.loads((folders.model / "metrics.json").read_text())


def scored(row: str, index: int, value: float) -> ScoredPicture:
    prompt = None if row == "photos" else "a dog"
    picture = Picture(row, index, prompt, prompt, None if prompt is None else index, bytes)
    clip_t = None if prompt is None else value / 2
    view = View(f"{row}/{index}.png", "", 1, 1, "")
    return ScoredPicture(picture, view, value, clip_t, value, (index % 2, value), 0.5)


def some() -> list[ScoredPicture]:
    rows = ("photos", "teacher-base", "student-base", "proxies", "teacher", "student")
    return [
        scored(row, index, 0.1 * place + 0.01 * index) for place, row in enumerate(rows) for index in range(5)
    ]


def test_metrics_fit_the_schema_of_lib_core(evaluated: Folders) -> None:
    metrics = read(evaluated)
    assert schema.check("metrics", metrics) is None
    assert [row["name"] for row in metrics["rows"]] == [
        "photos",
        "teacher-base",
        "student-base",
        "proxies",
        "teacher",
        "student",
    ]
    assert [row["pictures"] for row in metrics["rows"]] == [4, 6, 6, 24, 6, 6]


def test_a_mean_is_that_of_its_images(evaluated: Folders) -> None:
    metrics = read(evaluated)
    for row in metrics["rows"]:
        for score in ("clip_i", "clip_t", "dino"):
            values = [picture[score] for picture in metrics["pictures"] if picture["row"] == row["name"]]
            if row[score] is None:
                assert values == [None] * len(values)
                continue
            assert row[score]["mean"] == pytest.approx(math.fsum(values) / len(values), abs=1e-6)
            assert row[score]["low"] <= row[score]["mean"] <= row[score]["high"]


def test_only_photos_have_no_prompt_score(evaluated: Folders) -> None:
    assert [row["name"] for row in read(evaluated)["rows"] if row["clip_t"] is None] == ["photos"]


def test_every_named_file_exists(evaluated: Folders) -> None:
    for picture in read(evaluated)["pictures"]:
        assert (evaluated.model / picture["file"]).is_file()


def test_csv_and_json_contain_the_same_numbers(evaluated: Folders) -> None:
    metrics = read(evaluated)
    with (evaluated.model / "metrics.csv").open(newline="") as file:
        table = csv.DictReader(file)
        assert tuple(table.fieldnames or ()) == COLUMNS
        lines = list(table)
    means = [line for line in lines if line["kind"] == "mean"]
    pictures = [line for line in lines if line["kind"] == "picture"]
    assert len(means) + len(pictures) == len(lines)
    for line, row in zip(means, metrics["rows"], strict=True):
        assert (line["row"], int(line["pictures"])) == (row["name"], row["pictures"])
        for name in ("clip_i", "clip_t", "dino", "nearest_dino", "diversity"):
            for end, key in (("", "mean"), ("_low", "low"), ("_high", "high")):
                expected = "" if row[name] is None else row[name][key]
                assert line[name + end] == str(expected)
    for line, picture in zip(pictures, metrics["pictures"], strict=True):
        for key in (
            *("row", "index", "prompt", "seed", "file", "clip_i", "clip_t", "dino"),
            *LIKENESS,
            "nearest",
        ):
            assert line[key] == ("" if picture[key] is None else str(picture[key]))


def test_the_order_of_the_images_does_not_matter(plan: dict[str, Any]) -> None:
    pictures = some()
    assert build_metrics(plan, pictures[::-1], EVALUATOR, 3) == build_metrics(plan, pictures, EVALUATOR, 3)


def test_a_run_with_one_photo_has_no_row_of_photos(plan: dict[str, Any]) -> None:
    pictures = [one for one in some() if one.picture.row != "photos"]
    metrics = build_metrics(without_stand_ins(plan), pictures, EVALUATOR, 3)
    assert "photos" not in [row["name"] for row in metrics["rows"]]
    assert "no ceiling" in metrics["verdict"]


def test_an_image_nearer_to_a_photo_than_photos_to_each_other_is_a_copy(plan: dict[str, Any]) -> None:
    rows = {row["name"]: row for row in build_metrics(plan, some(), EVALUATOR, 3)["rows"]}
    # The photos' nearest are 0.00 to 0.04; a teacher of 0.42 and more is nearer in all of its images.
    assert rows["photos"]["copies"] is None
    assert rows["teacher"]["copies"] == 1
    near = [
        dataclasses.replace(one, nearest=(1, 0.9)) if one.picture.row == "photos" else one for one in some()
    ]
    rows = {row["name"]: row for row in build_metrics(plan, near, EVALUATOR, 3)["rows"]}
    assert rows["teacher"]["copies"] == 0


def test_the_photo_that_attracts_most_images_is_named(plan: dict[str, Any]) -> None:
    rows = {row["name"]: row for row in build_metrics(plan, some(), EVALUATOR, 3)["rows"]}
    # Images 0, 2 and 4 are nearest to the first photo, 1 and 3 to the second.
    assert rows["student"]["attractor"] == {"reference": 0, "share": 0.6}


def test_student_and_teacher_are_compared_over_the_same_prompts_and_seeds(plan: dict[str, Any]) -> None:
    compared = build_metrics(plan, some(), EVALUATOR, 3)["comparison"]
    assert compared["dino"] is not None
    # Every image of the student scores 0.1 more than the teacher's; five pairs are too few for a small p.
    assert compared["dino"] == {"mean": 0.1, "low": 0.1, "high": 0.1, "p": 2 / 2**5, "pairs": 5}
    assert compared["clip_t"]["mean"] == 0.05


def test_one_image_of_each_model_tells_nothing(plan: dict[str, Any]) -> None:
    metrics = build_metrics(plan, [one for one in some() if one.picture.index == 0], EVALUATOR, 3)
    student = next(row for row in metrics["rows"] if row["name"] == "student")
    assert student["dino"] == {"mean": 0.5, "low": None, "high": None}
    assert metrics["comparison"] == {"clip_i": None, "clip_t": None, "dino": None}
    assert schema.check("metrics", metrics) is None
    table = list(csv.DictReader(io.StringIO(as_csv(metrics))))
    assert [line["dino_low"] for line in table if line["kind"] == "mean"] == [""] * 6


def test_metrics_that_do_not_fit_the_schema_are_never_written(plan: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the metrics do not fit their schema: evaluator"):
        build_metrics(plan, some(), {"clip": "clip-tiny"}, 3)


def test_the_evaluator_names_its_weights(evaluated: Folders) -> None:
    evaluator = read(evaluated)["evaluator"]
    for name in ("clip", "dino"):
        weights = (evaluated.channel(name) / "model.safetensors").read_bytes()
        assert evaluator[f"{name}_sha256"] == hashlib.sha256(weights).hexdigest()
        assert evaluator[name] == f"{name}-tiny"
    assert {"python", "torch", "transformers", "pillow", "numpy", "proxytune"} <= set(evaluator["versions"])
