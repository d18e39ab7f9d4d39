"""The amount of work of an evaluate job, which the plan charges for (test/core/plan-work.test.ts)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from job_work import cases, count_encoded
from make_run import make_run, with_validation

from proxytune.contract.signals import StopRequest
from proxytune.evaluation.evaluate import evaluate


@pytest.mark.parametrize("case", cases("evaluate"))
def test_an_evaluate_job_does_as_much_as_its_case_says(
    case: dict[str, Any],
    plan: dict[str, Any],
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copies = case["picturesPerPrompt"]
    plan["proxies"] = case["proxies"]
    plan["prompts"]["evaluation"] = plan["prompts"]["evaluation"][: case["prompts"]]
    plan["samples"] = {"picturesPerPrompt": copies, "pictures": copies * case["prompts"]}
    run = make_run(tmp_path, with_validation(plan) if case["validation"] else plan, models)
    assert len(list(run.channel("references").iterdir())) == case["photos"]
    read = count_encoded(monkeypatch)
    evaluate(run, {"stage": "evaluate", "seed": 7}, StopRequest())
    assert {name: read[name] for name in ("clip", "dino")} == case["work"]
