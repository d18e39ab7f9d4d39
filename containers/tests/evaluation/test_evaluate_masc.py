"""An evaluation measured by MaSC, with the small trained models, of subjects of the drawn world."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from make_run import make_run, without_stand_ins
from PIL import Image
from report_page import page_of

from proxytune.contract import schema
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.evaluation import scoring
from proxytune.evaluation.evaluate import evaluate
from proxytune.masks.segmenter import Segmenter
from proxytune.metrics.masc import SiglipEncoder

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


def test_photos_and_images_are_read_as_often_as_the_plan_charges(
    tmp_path: Path, plan: dict[str, Any], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """test/core/job-work.ts counts the same: the photos first, to compare with, then all images."""
    read = {"siglip": 0, "segmenter": 0}
    encode, find = SiglipEncoder.images, Segmenter.find

    def images(self: SiglipEncoder, images: Any, masks: Any) -> Any:
        read["siglip"] += len(images)
        return encode(self, images, masks)

    def found(self: Segmenter, images: Any, prompt: str) -> Any:
        read["segmenter"] += len(images)
        return find(self, images, prompt)

    monkeypatch.setattr(SiglipEncoder, "images", images)
    monkeypatch.setattr(Segmenter, "find", found)
    metrics = metrics_of(measured_run(tmp_path, plan, models))
    photos = sum(picture["row"] == "photos" for picture in metrics["pictures"])
    assert read == dict.fromkeys(read, len(metrics["pictures"]) + photos)


def test_an_encoder_reads_as_many_patches_as_it_is_asked_for() -> None:
    image, whole = Image.new("RGB", (64, 64), "red"), np.ones((64, 64), np.float32)
    counts = {}
    for patches in (None, 16, 100):
        encoder = SiglipEncoder(MINIATURE / "siglip-miniature", torch.device("cpu"), patches)
        (encoded,) = encoder.images([image], [whole])
        counts[patches] = len(encoded.hidden)
    # The folder says 64; a square image is cut into a square of patches.
    assert counts == {None: 64, 16: 16, 100: 100}


def test_scores_do_not_depend_on_the_batch(
    tmp_path: Path, plan: dict[str, Any], models: Path, measured: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "BATCH", 5)
    one, other = metrics_of(measured_run(tmp_path, plan, models)), metrics_of(measured)
    for first, second in zip(one["pictures"], other["pictures"], strict=True):
        for name in ("masc_identity", "masc_prompt"):
            assert first[name] == pytest.approx(second[name], abs=1e-5)
