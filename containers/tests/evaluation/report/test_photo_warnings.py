from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from make_run import make_run
from report_page import page_of

from proxytune.contract.signals import StopRequest
from proxytune.evaluation.evaluate import evaluate
from proxytune.evaluation.report.facts import flat
from proxytune.evaluation.report.photo_warnings import PhotoWarning, photo_warnings


def finding(severity: str, message: str) -> dict[str, str]:
    return {"code": "any", "severity": severity, "file": "x", "message": message, "remedy": "Take another."}


FOUND = {
    "photos": [
        {"file": "lawn.jpg", "findings": [finding("warning", "is blurred"), finding("note", "is large")]},
        {"file": "shelf.jpg", "findings": []},
    ],
    "companions": [{"file": "lawn.txt", "findings": [finding("warning", "is long")]}],
    "set": [finding("warning", "All photos have the same background")],
}


def test_warnings_of_photos_captions_and_the_whole_set_are_read_in_order(tmp_path: Path) -> None:
    assert photo_warnings(tmp_path) == []
    (tmp_path / "findings.json").write_text(json.dumps(FOUND))
    assert photo_warnings(tmp_path) == [
        PhotoWarning("lawn.jpg", "is blurred", "Take another."),
        PhotoWarning("lawn.txt", "is long", "Take another."),
        PhotoWarning(None, "All photos have the same background", "Take another."),
    ]


def test_the_page_shows_them_with_their_remedies(tmp_path: Path, plan: dict[str, Any], models: Path) -> None:
    folders = make_run(tmp_path, plan, models)
    (folders.channel("references") / "findings.json").write_text(json.dumps(FOUND))
    evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    text = " ".join(page_of(folders).text.split())
    assert "The inspection’s warnings lawn.jpg is blurred. Take another. lawn.txt is long." in text
    assert "is large" not in text


def test_settings_have_no_raw_floats() -> None:
    values = {"build": 0.10558379546663077, "rate": 1e-4, "steps": 1000, "betas": [0.9, 0.30000000000000004]}
    assert dict(flat(values)) == {"build": "0.1056", "rate": "0.0001", "steps": "1000", "betas": "[0.9, 0.3]"}
