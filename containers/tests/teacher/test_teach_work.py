"""The work of a teach job, which the plan charges for (test/core/plan-work.test.ts)."""

import json
from collections import Counter
from pathlib import Path

import pytest
from job_work import cases, count_calls, count_encoded
from jobs import TEACH, write_teach_job

from proxytune.contract import hyperparameters
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.teacher import trainer
from proxytune.teacher.families.sdxl import SDXL
from proxytune.teacher.generator import DiffusionGenerator
from proxytune.teacher.lora_trainer import TeacherTrainer
from proxytune.training.launch import processes_for

MODELS = Path(__file__).parents[2] / "models" / "miniature"


@pytest.mark.parametrize("case", cases("teach"))
def test_a_teach_job_does_as_much_as_its_case_says(case, tiny_model, tmp_path, monkeypatch):
    changes = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in case["hyperparameters"].items()
    }
    given = hyperparameters.parse({**TEACH, **changes})
    folders = Folders(write_teach_job(tmp_path, tiny_model("sdxl-tiny"), **changes))
    for name in ("clip", "dino"):
        (tmp_path / "input/data" / name).symlink_to(MODELS / f"{name}-miniature")
    assert len(list(folders.channel("references").iterdir())) == case["photos"]

    done = Counter()
    loss, inside = TeacherTrainer.loss, []

    def counted(self, step, rng):
        done.update(steps=1)
        inside.append(step)
        value = loss(self, step, rng)
        inside.clear()
        return value

    monkeypatch.setattr(TeacherTrainer, "loss", counted)
    # The network also computes the check of the adapter's file, which is not training.
    count_calls(
        monkeypatch,
        SDXL,
        "predict",
        lambda _self, _network, latents, *_: done.update(trained=len(latents) if inside else 0),
    )
    count_calls(
        monkeypatch,
        TeacherTrainer,
        "generate_images",
        lambda _self, images, _sampler: done.update(validationImages=len(images)),
    )
    count_calls(
        monkeypatch,
        DiffusionGenerator,
        "generate",
        lambda _self, chunk: done.update(classImages=len(chunk.pictures)),
    )
    read = count_encoded(monkeypatch)
    trainer.train(folders, given, StopRequest())

    monkeypatch.setenv("PROXYTUNE_PROCESSES", str(case["gpus"]))
    processes = processes_for(given)
    assert done["steps"] == given["steps"]
    assert done["trained"] % processes == 0
    assert {
        "trained": done["trained"] // processes,
        **{name: done[name] for name in ("classImages", "validationImages")},
        **{name: read[name] for name in ("clip", "dino")},
    } == case["work"]
