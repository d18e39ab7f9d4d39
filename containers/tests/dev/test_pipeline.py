"""The plan of the jobs that run without a cloud."""

import pytest

from dev.drawn_subjects.export import export_subject
from dev.drawn_subjects.subjects import subject_named
from dev.pipeline import plan_run
from proxytune.contract import hyperparameters
from proxytune.drawn_world.scene import CONTEXTS


def exported(folder, **settings):
    export_subject(subject_named("tuning-bear"), folder, settings)
    return folder


def test_jobs_and_chunks_are_those_of_the_plan(tmp_path):
    planned = plan_run(exported(tmp_path / "bear", proxies=12, preset="draft", seed=7))
    assert [stage["stage"] for stage in planned.plan["stages"]] == [
        "teach",
        "synthesize",
        "learn",
        "sample-teacher",
        "sample-student",
        "evaluate",
    ]
    settings = {
        stage: hyperparameters.parse(job["HyperParameters"]) for stage, job in planned.trainings.items()
    }
    assert set(settings) == {"teach", "learn", "evaluate"}
    assert {one["seed"] for one in settings.values()} == {7}
    proxies = [picture for chunk in planned.chunks["synthesize"].values() for picture in chunk["pictures"]]
    assert [picture["seed"] for picture in proxies] == [7 + number for number in range(12)]
    assert sum(any(context in picture["prompt"] for context in CONTEXTS) for picture in proxies) == 6
    assert planned.chunks["sample-teacher"].keys() >= {"chunk-0000.json"}


def test_a_refusal_of_the_planner_is_an_error_with_its_reason(tmp_path):
    with pytest.raises(ValueError, match=r"RequestInvalid.*proxies"):
        plan_run(exported(tmp_path / "bear", proxies=1))


def test_a_request_with_decisions_of_the_cloud_is_refused(tmp_path):
    with pytest.raises(ValueError, match="rounds"):
        plan_run(exported(tmp_path / "bear", adaptiveProxies=True))
