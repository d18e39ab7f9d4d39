"""The amount of work of a run's curate jobs, which the plan charges for (test/core/plan-work.test.ts)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from job_work import cases, count_encoded
from scenes import add_proxies, in_all_contexts, make_job, plan_of

from proxytune.contract.signals import StopRequest
from proxytune.curation.curate import curate


@pytest.mark.parametrize("case", cases("curate"))
def test_the_curate_jobs_do_as_much_as_their_case_says(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = case["ends"]
    # A third image of each context differs from the others, as proxies do.
    drawn = [(picture, "a ohwx car") for picture in in_all_contexts("demo-car", 3)][: ends[-1]]
    plan = plan_of(drawn, rounds=ends)
    folders = make_job(tmp_path, plan, drawn[: ends[0]])
    assert len(list(folders.channel("references").iterdir())) == case["photos"]
    read = count_encoded(monkeypatch)
    for number, end in enumerate(ends, start=1):
        if number > 1:
            add_proxies(folders, drawn[ends[number - 2] : end], ends[number - 2])
        curate(folders, {"stage": "curate", "round": number}, StopRequest())
    assert dict(read) == case["work"]
