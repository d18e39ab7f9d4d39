from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.plan_file import read_plan
from proxytune.contract.signals import StopRequest
from proxytune.evaluation.evaluate import evaluate
from proxytune.evaluation.pictures import save_view
from proxytune.metrics.pictures import Picture


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_fixture_is_a_plan_of_this_version(plan: dict[str, Any]) -> None:
    assert schema.check("plan", plan) is None


def test_a_second_evaluation_writes_the_same_bytes(folders: Folders, evaluated: Folders) -> None:
    evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    assert files(folders.model) == files(evaluated.model)


def test_the_outputs_contain_no_temporary_file(evaluated: Folders) -> None:
    names = [Path(name).name for name in files(evaluated.model)]
    assert not [name for name in names if name.startswith(".") or name.endswith(".tmp")]
    assert {"index.html", "metrics.json", "metrics.csv"} <= set(names)


def test_the_seed_changes_intervals_but_no_mean(folders: Folders, evaluated: Folders) -> None:
    evaluate(folders, {"stage": "evaluate", "seed": 8}, StopRequest())
    first, second = (
        json.loads((run.model / "metrics.json").read_text())["rows"] for run in (evaluated, folders)
    )
    assert [row["dino"]["mean"] for row in first] == [row["dino"]["mean"] for row in second]
    assert [row["dino"]["low"] for row in first] != [row["dino"]["low"] for row in second]


def test_progress_ends_with_every_image_scored(evaluated: Folders) -> None:
    progress = json.loads((evaluated.checkpoints / "progress.json").read_text())
    assert schema.check("progress", progress) is None
    assert (progress["stage"], progress["step"], progress["total"]) == ("evaluate", 52, 52)


def test_images_that_resemble_the_photos_score_higher(evaluated: Folders) -> None:
    """The images of the tuned models contain the photos' shapes; an encoder must see that."""
    rows = {row["name"]: row for row in json.loads((evaluated.model / "metrics.json").read_text())["rows"]}
    assert rows["photos"]["dino"]["mean"] > rows["teacher"]["dino"]["mean"] > rows["student"]["dino"]["mean"]
    for role in ("teacher", "student"):
        assert rows[role]["dino"]["mean"] > rows[f"{role}-base"]["dino"]["mean"]


@pytest.mark.parametrize("content", ["{", '{"version": 1}'])
def test_an_unusable_plan_is_refused(content: str, folders: Folders) -> None:
    (folders.channel("plan") / "plan.json").write_text(content)
    with pytest.raises(ProxytuneError, match=r"no usable plan\.json") as caught:
        evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    assert caught.value.name == "ChannelMissing"


def test_a_missing_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProxytuneError, match=r"no usable plan\.json"):
        read_plan(tmp_path)


def test_a_photo_that_is_not_an_image_is_reported(folders: Folders) -> None:
    (folders.channel("references") / "01.png").write_bytes(b"not an image")
    with pytest.raises(ProxytuneError, match="row photos, index 1") as caught:
        evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    assert caught.value.name == "ChannelMissing"


def test_small_images_are_copied_unchanged(tmp_path: Path) -> None:
    picture = Picture("teacher", 3, None, None, None, bytes)
    view = save_view(picture, b"the png", Image.new("RGB", (64, 64)), tmp_path)
    assert (view.file, view.shown) == ("pictures/teacher/000003.png", "pictures/teacher/000003.png")
    assert (tmp_path / view.file).read_bytes() == b"the png"


def test_large_images_are_shown_small_and_open_larger(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), dtype=np.uint8)
    view = save_view(Picture("photos", 0, None, None, None, bytes), b"", Image.fromarray(noise), tmp_path)
    assert Image.open(tmp_path / view.file).size == (768, 576)
    assert Image.open(tmp_path / view.shown).size == (view.width, view.height) == (320, 240)
