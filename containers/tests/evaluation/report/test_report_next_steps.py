from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from proxytune.contract.names import LIMITS, REPORT_SLOTS
from proxytune.evaluation.report.next_steps import next_steps

REPOSITORY = Path(__file__).parents[4]

LOW, HIGH = ({"mean": 0.3, "low": 0.25, "high": 0.35}, {"mean": 0.6, "low": 0.55, "high": 0.65})


def metrics(teacher: bool, student: bool) -> dict[str, Any]:
    """Scores of models that have learnt the subject, or have not."""
    scores = {
        "teacher-base": LOW,
        "student-base": LOW,
        "teacher": HIGH if teacher else LOW,
        "student": HIGH if student else LOW,
    }
    return {"rows": [{"name": name, "dino": score} for name, score in scores.items()]}


def test_one_image_of_each_model_needs_more_before_any_other_advice(real: dict[str, Any]) -> None:
    alone = {"mean": 0.6, "low": None, "high": None}
    rows = [row | {"dino": alone} for row in metrics(True, True)["rows"]]
    (advice,) = next_steps(real, {"rows": rows}, 5)["advice"]
    assert advice["setting"] == "--set advanced.sample.picturesPerPrompt=4"


@pytest.fixture
def real(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan as if the full-size models had been used."""
    for model in plan["models"].values():
        model["standInFor"] = None
    return plan


def advised(plan: dict[str, Any], teacher: bool, student: bool, photos: int = 5) -> list[str]:
    return [step["setting"] for step in next_steps(plan, metrics(teacher, student), photos)["advice"]]


def test_the_bounds_of_advice_are_those_of_requests_and_inspection() -> None:
    schema = json.loads((REPOSITORY / "docs/reference/subject.schema.json").read_text("utf-8"))
    fields = schema["properties"]
    assert fields["proxies"]["maximum"] == LIMITS.proxies
    for stage in ("teach", "learn"):
        steps = fields["advanced"]["properties"][stage]["properties"]["steps"]
        assert steps["maximum"] == LIMITS.steps
    limits = (REPOSITORY / "lib/core/photos/limits.ts").read_text("utf-8")
    assert re.findall(r"maxPhotos: (\S+),", limits) == ["names.limits.photos"]


def test_advice_stays_within_the_bounds(real: dict[str, Any]) -> None:
    real["proxies"] = LIMITS.proxies - 1
    assert f"--proxies {LIMITS.proxies}" in advised(real, True, False)
    real["proxies"] = LIMITS.proxies
    assert not [setting for setting in advised(real, True, False) if "--proxies" in setting]
    assert "npx proxytune check DIR" not in advised(real, False, False, photos=LIMITS.photos)


def test_the_advice_depends_on_which_models_learnt_the_subject(real: dict[str, Any]) -> None:
    curation, contexts = "--curation", "--set proxyContexts=0.5"
    assert advised(real, False, False) == ["npx proxytune check DIR", "--preset standard"]
    assert advised(real, True, False) == ["--preset standard", "--proxies 48", curation, contexts]
    assert advised(real, True, True) == ["--preset standard", curation, contexts]


def test_nothing_is_recommended_that_the_run_did_or_that_is_impossible(real: dict[str, Any]) -> None:
    real["preset"] = "best"
    real["request"]["curation"] = True
    real["proxiesInContext"] = 12
    real["proxies"] = 3000
    assert advised(real, True, True) == []
    steps = {
        stage["stage"]: stage["hyperparameters"]["steps"]
        for stage in real["stages"]
        if stage["stage"] in {"teach", "learn"}
    }
    assert advised(real, True, False) == [
        f"--set advanced.learn.steps={2 * steps['learn']}",
        "--proxies 5000",
    ]
    assert advised(real, False, False, photos=30) == [f"--set advanced.teach.steps={2 * steps['teach']}"]
    real["proxies"] = 5000
    assert "--proxies 5000" not in advised(real, True, False)


def test_the_prompt_and_the_archives_are_those_of_the_run(real: dict[str, Any]) -> None:
    steps = next_steps(real, metrics(True, True), 5)
    assert steps["prompt"] == "a photo of a {token} dog at sunset"
    assert steps["filled"] == "a photo of a ohwx dog at sunset"
    assert steps["archives"] == {
        "teacher": f"runs/rex-0a1b2c3d/jobs/{REPORT_SLOTS.job.format(stage='teach')}/output/model.tar.gz",
        "student": f"runs/rex-0a1b2c3d/jobs/{REPORT_SLOTS.job.format(stage='learn')}/output/model.tar.gz",
    }


def test_stand_ins_are_recognized(plan: dict[str, Any]) -> None:
    assert next_steps(plan, metrics(False, False), 5)["stand_ins"] is True
