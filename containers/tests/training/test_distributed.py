"""Several processes give the result of one; they stop together and resume together."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from jobs import TEACH, write_teach_job
from safetensors.torch import load_file
from shared_steps import STUDENTS, TEACHERS, first_steps_of

from proxytune.contract import hyperparameters
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.teacher import trainer
from proxytune.training.distributed import ALONE
from proxytune.training.launch import processes_for

STEPS = 12
LEARN = {"stage": "learn"}
BATCH_SHARING = Path(__file__).parents[1] / "contract" / "batch_sharing.json"
SETTINGS = {"steps": str(STEPS), "batch_size": "4", "checkpoint_every": "100"}
PRIOR = {"prompt": "a dog", "pictures": 3, "weight": 0.5, "steps": 1, "guidance": 3.0}


def start(base):
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(base), "PROXYTUNE_PROCESSES": "2"}
    return subprocess.Popen(
        [sys.executable, "-m", "proxytune", "train"],
        env={**environment, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_steps(base, process):
    file, deadline = base / "checkpoints" / "progress.json", time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        if file.exists() and json.loads(file.read_text())["step"] > 0:
            return
        time.sleep(0.01)
    pytest.fail(f"no step was taken: {process.communicate()[0]}")


def test_two_processes_stopped_and_resumed_give_the_adapter_of_one(tiny_model, tmp_path):
    model, settings = tiny_model("sdxl-tiny"), {**SETTINGS, "class_images": json.dumps(PRIOR)}
    alone = Folders(write_teach_job(tmp_path / "alone", model, **settings))
    trainer.train(alone, hyperparameters.read(alone), StopRequest())
    base = write_teach_job(tmp_path / "two", model, **settings)
    first = start(base)
    try:
        wait_for_steps(base, first)
        first.send_signal(signal.SIGTERM)
        output = first.communicate(timeout=240)[0]
        assert first.returncode == 143, output
        assert "running the job in 2 processes" in output
        # One of them logs what both do.
        assert output.count("stopped by SIGTERM after step") == 1
    finally:
        if first.poll() is None:
            first.kill()
    (checkpoint,) = (base / "checkpoints").glob("*.checkpoint")
    stopped_at = json.loads(checkpoint.read_bytes().partition(b"\n")[0])["step"]
    assert 0 < stopped_at < STEPS
    second = start(base)
    output = second.communicate(timeout=240)[0]
    assert second.returncode == 0, output
    assert output.count(f"resumed from the checkpoint of step {stopped_at}") == 1
    left, right = (
        load_file(folder / "model" / "pytorch_lora_weights.safetensors")
        for folder in (tmp_path / "alone", base)
    )
    assert left.keys() == right.keys()
    trained = [key for key in left if "lora_B" in key]
    assert any(float(left[key].abs().max()) > 1e-3 for key in trained)
    # The order of sums differs; AdamW's first steps turn the sign of a tiny gradient into a full step.
    difference = torch.cat([(left[key] - right[key]).flatten() for key in trained]).norm()
    assert difference < 0.01 * torch.cat([left[key].flatten() for key in trained]).norm()


@pytest.fixture(scope="module")
def first_steps(tiny_model, tmp_path_factory):
    """Losses and gradients of the first steps of trainings: those of one process, and those of two."""
    folder = tmp_path_factory.mktemp("steps")
    for name in (*TEACHERS, *STUDENTS.values()):
        (folder / name).symlink_to(tiny_model(name))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    script = Path(__file__).with_name("shared_steps.py")
    command = [*torchrun, script, folder, folder / "two.pt"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return first_steps_of(folder, ALONE), torch.load(folder / "two.pt")


@pytest.mark.parametrize("model", [*TEACHERS, *STUDENTS.values()])
def test_two_processes_compute_the_losses_and_gradients_of_one(first_steps, model):
    one, two = (steps[model] for steps in first_steps)
    for (loss, gradient), (shared_loss, shared_gradient) in zip(one, two, strict=True):
        assert gradient.norm() > 1e-3
        assert abs(loss - shared_loss) < 1e-6 * loss
        assert (gradient - shared_gradient).abs().max() < 1e-6
        assert (gradient - shared_gradient).norm() < 1e-5 * gradient.norm()
    assert (one[0][1] - one[1][1]).norm() > 1e-2 * one[0][1].norm(), "the steps differ"


@pytest.mark.parametrize("case", json.loads(BATCH_SHARING.read_text("utf-8")), ids=str)
def test_as_many_processes_as_can_share_the_batch(monkeypatch, case):
    monkeypatch.setenv("PROXYTUNE_PROCESSES", str(case["gpus"]))
    given = hyperparameters.parse({**TEACH, "batch_size": str(case["batchSize"])})
    assert processes_for(given) == case["processes"]
    assert processes_for({**LEARN, "batch_size": case["batchSize"]}) == case["processes"]


@pytest.mark.parametrize(("gpus", "chunks", "processes"), [(4, 63, 4), (4, 3, 3), (0, 5, 1)])
def test_there_are_as_many_processes_as_chunks_at_most(monkeypatch, gpus, chunks, processes):
    monkeypatch.setenv("PROXYTUNE_PROCESSES", str(gpus))
    assert processes_for({"stage": "synthesize", "chunks": chunks}) == processes


def test_within_torchrun_and_in_other_stages_there_is_one(monkeypatch):
    monkeypatch.setenv("PROXYTUNE_PROCESSES", "4")
    assert processes_for({"stage": "evaluate", "batch_size": 4}) == 1
    monkeypatch.setenv("RANK", "1")
    assert processes_for({"stage": "teach", "batch_size": 4}) == 1
