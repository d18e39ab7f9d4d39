"""A student's training that two processes share gives the adapter of one."""

import torch
from learn_job import HYPERPARAMETERS, make_job, start
from safetensors.torch import load_file

from proxytune.contract.signals import StopRequest
from proxytune.student import trainer

# Janus has no dropout, which each process would draw for itself.
SETTINGS = {**HYPERPARAMETERS, "family": "janus", "model": "janus-pro-1b-tiny", "steps": 4, "batch_size": 4}


def test_two_processes_give_the_adapter_of_one(tiny_model, tmp_path):
    student = tiny_model("janus-pro-1b-tiny")
    alone = make_job(tmp_path / "alone", student, SETTINGS)
    trainer.train(alone, SETTINGS, StopRequest())
    shared = make_job(tmp_path / "shared", student, SETTINGS)
    process = start(shared, PROXYTUNE_PROCESSES="2")
    output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    assert "running the job in 2 processes" in output
    # One of them logs and writes what both do.
    assert output.count("saving the adapter") == 1
    one, two = (load_file(folders.model / "adapter_model.safetensors") for folders in (alone, shared))
    assert one.keys() == two.keys()
    trained = [name for name in one if "lora_B" in name]
    assert any(float(one[name].abs().max()) > 1e-3 for name in trained)
    # The order of sums differs; AdamW's first steps turn the sign of a tiny gradient into a full step.
    difference = torch.cat([(one[name] - two[name]).flatten() for name in trained]).norm()
    assert difference < 0.01 * torch.cat([one[name].flatten() for name in trained]).norm()
