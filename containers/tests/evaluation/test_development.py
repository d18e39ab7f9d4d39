"""The teacher's development in the report: curve, choice and samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from make_run import make_run, with_samples
from report_page import page_of

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.evaluation.development import curves
from proxytune.evaluation.evaluate import evaluate


@pytest.fixture
def taught(tmp_path: Path, plan: dict[str, Any], models: Path) -> Folders:
    """A run whose teacher drew samples along the way."""
    return make_run(tmp_path, with_samples(plan), models)


def test_curve_choice_and_samples_are_in_metrics_and_page(taught: Folders) -> None:
    evaluate(taught, {"stage": "evaluate", "seed": 7}, StopRequest())
    choice = json.loads((taught.model / "metrics.json").read_text())["choice"]
    points = choice["points"]
    assert [point["step"] for point in points] == [0, 10, 20, 30]
    assert [point["fidelity"] for point in points] == sorted(point["fidelity"] for point in points)
    # The last checkpoint draws one picture only: most alike, and without any diversity.
    assert (points[3]["diversity"], points[3]["guarded"], choice["chosen"]) == (0.0, False, 20)
    assert "step 30 is more similar" in choice["reason"]
    page = page_of(taught)
    assert choice["reason"] in page.text
    assert "Step 20, handed on" in page.text
    shown = {image["src"] for image in page.all("img")}
    for point in points:
        assert len(point["pictures"]) == 3
        for sample in point["pictures"]:
            assert (taught.model / sample["file"]).is_file()
            assert sample["file"] in shown
    circles = page.all("circle")
    assert [circle["class"] for circle in circles].count("chosen") == 3
    assert len(circles) == 12


def test_a_run_without_samples_says_nothing_of_them(evaluated: Folders) -> None:
    assert "choice" not in json.loads((evaluated.model / "metrics.json").read_text())
    assert "training" not in page_of(evaluated).text.partition("Stages")[0].lower()


@pytest.mark.parametrize("damage", ["no record", "no JSON", "no picture"])
def test_a_record_that_is_not_whole_is_refused(taught: Folders, damage: str) -> None:
    channel = taught.channel("validation")
    if damage == "no picture":
        (channel / "step-00000010" / "0001.png").unlink()
    elif damage == "no JSON":
        (channel / "choice.json").write_text("{")
    else:
        (channel / "choice.json").unlink()
    with pytest.raises(ProxytuneError, match=r"no usable choice\.json") as caught:
        evaluate(taught, {"stage": "evaluate", "seed": 7}, StopRequest())
    assert caught.value.name == "ChannelMissing"


def test_curves_rise_upwards_between_the_edges_and_leave_out_what_was_not_measured() -> None:
    def point(step: int, fidelity: float) -> dict[str, Any]:
        return {"step": step, "fidelity": fidelity, "prompt": None, "diversity": 0.3, "guarded": True}

    record = {
        "chosen": 20,
        "guards": {"prompt": None, "diversity": 0.1},
        "points": [point(0, 0.2), point(10, 0.5), point(20, 0.7)],
    }
    fidelity, diversity = curves(record)
    assert [at["x"] for at in fidelity["points"]] == [8, 160, 312]
    heights = [at["y"] for at in fidelity["points"]]
    assert heights == sorted(heights, reverse=True)
    assert all(8 <= height <= 88 for height in heights)
    assert [at["mark"] for at in fidelity["points"]] == ["held", "held", "chosen"]
    assert fidelity["guard"] is None
    # A higher value stands higher, which in SVG is less.
    assert diversity["guard"]["y"] > diversity["points"][0]["y"]
