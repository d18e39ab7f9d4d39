"""The report shows that masks were used, and how much of each photo is subject."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from make_run import make_run
from PIL import Image
from report_page import page_of

from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.evaluation.evaluate import evaluate
from proxytune.masks.photo_masks import prepare_photo_masks


def half_masked(folders: Folders) -> Path:
    """Give the second reference a mask of its left quarter; returns the folder of the references."""
    references = folders.channel("references")
    photo = sorted(references.rglob("*.png"))[1]
    with Image.open(photo) as opened:
        mask = np.zeros((opened.height, opened.width), dtype=np.uint8)
    mask[:, : mask.shape[1] // 4] = 255
    Image.fromarray(mask).save(photo.with_suffix(".mask"), "PNG")
    return references


def test_given_masks_are_shown_with_their_shares(tmp_path: Path, plan: dict[str, Any], models: Path) -> None:
    folders: Folders = make_run(tmp_path, plan, models)
    half_masked(folders)
    evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    text = page_of(folders).text
    assert "The photos were masked" in text
    assert text.count("given mask, subject 25%") == 1
    assert "no mask tells the subject from its background; all of the photo was learned" in text


def test_masks_of_the_teach_job_are_shown(tmp_path: Path, plan: dict[str, Any], models: Path) -> None:
    folders: Folders = make_run(tmp_path, plan, models)
    references = half_masked(folders)
    stored = folders.base / "input" / "data" / "masks"
    prepare_photo_masks(references, None, lambda: None, stored)
    # As the teach job writes it where the segmenter found the subject.
    record = json.loads((stored / "masks.json").read_text())
    record["masks"][1] |= {"source": "found", "share": 0.31}
    (stored / "masks.json").write_text(json.dumps(record))
    evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    assert page_of(folders).text.count("found mask, subject 31%") == 1


def test_without_masks_none_is_spoken_of(evaluated: Folders) -> None:
    assert "mask" not in page_of(evaluated).text.lower()
