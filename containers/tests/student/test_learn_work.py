"""The amount of work of a learn job, which the plan charges for (test/core/plan-work.test.ts)."""

import pytest
from job_work import cases, count_calls
from learn_job import HYPERPARAMETERS, make_job

from proxytune.contract.signals import StopRequest
from proxytune.student import trainer
from proxytune.student.families.llamagen.family import LlamaGenFamily
from proxytune.training.launch import processes_for


@pytest.mark.parametrize("case", cases("learn"))
def test_a_learn_job_does_the_work_of_its_case(case, tiny_model, tmp_path, monkeypatch):
    given = {**HYPERPARAMETERS, **case["hyperparameters"]}
    trained = []
    count_calls(
        monkeypatch, LlamaGenFamily, "loss", lambda _self, _model, batch: trained.append(len(batch.indices))
    )
    trainer.train(make_job(tmp_path, tiny_model("llamagen-tiny"), given), given, StopRequest())
    monkeypatch.setenv("PROXYTUNE_PROCESSES", str(case["gpus"]))
    processes = processes_for(given)
    assert {"trained": sum(trained) // processes} == case["work"]
    assert sum(trained) % processes == 0
