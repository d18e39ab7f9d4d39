"""The teacher's validation in the report: curves, selection and images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from make_run import make_run, with_validation, without_stand_ins
from report_page import page_of

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.evaluation.evaluate import evaluate
from proxytune.evaluation.validation import curves


@pytest.fixture
def validated(tmp_path: Path, plan: dict[str, Any], models: Path) -> Folders:
    """A run whose teacher generated validation images."""
    return make_run(tmp_path, with_validation(without_stand_ins(plan)), models)


def test_curves_selection_and_images_are_in_metrics_and_page(validated: Folders) -> None:
    evaluate(validated, {"stage": "evaluate", "seed": 7}, StopRequest())
    choice = json.loads((validated.model / "metrics.json").read_text())["choice"]
    points = choice["points"]
    assert [point["step"] for point in points] == [0, 10, 20, 30]
    assert [point["fidelity"] for point in points] == sorted(point["fidelity"] for point in points)
    # The last checkpoint generates the same image each time: the most similar, without any diversity.
    assert (points[3]["diversity"], points[3]["guarded"], choice["chosen"]) == (0.0, False, 20)
    assert "step 30 is more similar" in choice["reason"]
    page = page_of(validated)
    assert choice["reason"] in page.text
    assert "Step 20, selected" in page.text
    shown = {image["src"] for image in page.all("img")}
    for point in points:
        assert len(point["pictures"]) == 3
        for sample in point["pictures"]:
            assert (validated.model / sample["file"]).is_file()
            assert sample["file"] in shown
    circles = page.all("circle")
    assert [circle["class"] for circle in circles].count("chosen") == 3
    assert len(circles) == 12


def test_a_run_without_validation_has_no_such_section(evaluated: Folders) -> None:
    assert "choice" not in json.loads((evaluated.model / "metrics.json").read_text())
    assert "training" not in page_of(evaluated).text.partition("Stages")[0].lower()


@pytest.mark.parametrize("damage", ["missing record", "invalid JSON", "missing image"])
def test_an_incomplete_validation_is_refused(validated: Folders, damage: str) -> None:
    channel = validated.channel("validation")
    if damage == "missing image":
        (channel / "step-00000010" / "0001.png").unlink()
    elif damage == "invalid JSON":
        (channel / "choice.json").write_text("{")
    else:
        (channel / "choice.json").unlink()
    with pytest.raises(ProxytuneError, match=r"no usable choice\.json") as caught:
        evaluate(validated, {"stage": "evaluate", "seed": 7}, StopRequest())
    assert caught.value.name == "ChannelMissing"


def test_curves_rise_within_the_edges_and_omit_missing_measures() -> None:
    def point(step: int, fidelity: float) -> dict[str, Any]:
        return {"step": step, "fidelity": fidelity, "prompt": None, "diversity": 0.3, "guarded": True}

    record = {
        "chosen": 20,
        "guards": {"prompt": None, "diversity": 0.1},
        "points": [point(0, 0.2), point(10, 0.5), point(20, 0.7)],
    }
    fidelity, diversity = curves(record)
    assert [at["x"] for at in fidelity["points"]] == [38, 175, 312]
    heights = [at["y"] for at in fidelity["points"]]
    assert heights == sorted(heights, reverse=True)
    assert all(8 <= height <= 88 for height in heights)
    assert [at["mark"] for at in fidelity["points"]] == ["passed", "passed", "chosen"]
    assert fidelity["guard"] is None
    # A larger value is higher, which is a smaller y in SVG.
    assert diversity["guard"]["y"] > diversity["points"][0]["y"]
