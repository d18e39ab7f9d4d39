"""The stage teach as SageMaker starts it: a process over its folders."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from jobs import write_teach_job
from safetensors import safe_open
from safetensors.torch import load_file

from proxytune.contract import schema

STEPS = 25


def start(base: Path) -> subprocess.Popen:
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(base), "TRAINING_JOB_NAME": base.name}
    command = [sys.executable, "-m", "proxytune", "train"]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=240)
    return output


def progress_of(base: Path) -> dict:
    file = base / "checkpoints" / "progress.json"
    return json.loads(file.read_text()) if file.exists() else {"step": 0}


def wait_for_steps(base: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        if progress_of(base)["step"] > 0:
            return
        time.sleep(0.005)
    pytest.fail(f"no step was taken: {process.communicate()[0]}")


def test_stopped_half_way_and_resumed_it_gives_the_adapter_of_an_undisturbed_run(tiny_model, tmp_path):
    model = tiny_model("sdxl-tiny")
    settings = {"steps": str(STEPS), "checkpoint_every": "1000", "licence": "a licence"}
    undisturbed = write_teach_job(tmp_path / "undisturbed", model, **settings)
    disturbed = write_teach_job(tmp_path / "disturbed", model, **settings)
    first = start(disturbed)
    try:
        wait_for_steps(disturbed, first)
        first.send_signal(signal.SIGTERM)
        output = finish(first)
        assert first.returncode == 143, output
        assert not list((disturbed / "model").iterdir())
        (checkpoint,) = (disturbed / "checkpoints").glob("*.checkpoint")
        stopped_at = json.loads(checkpoint.read_bytes().partition(b"\n")[0])["step"]
        assert 0 < stopped_at < STEPS

        resumed = start(disturbed)
        output = finish(resumed)
        assert resumed.returncode == 0, output
        assert f"resumed from the checkpoint of step {stopped_at}" in output
    finally:
        if first.poll() is None:
            first.kill()

    # A process too: other tests may have changed the threads of this one, and with them the order of sums.
    second = start(undisturbed)
    output = finish(second)
    assert second.returncode == 0, output
    name = "pytorch_lora_weights.safetensors"
    left, right = load_file(undisturbed / "model" / name), load_file(disturbed / "model" / name)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)
    assert any(float(value.abs().max()) > 0 for key, value in left.items() if "lora_B" in key)
    check_outputs(disturbed, stopped_at)


def check_outputs(base: Path, stopped_at: int) -> None:
    facts = json.loads((base / "model" / "adapter.json").read_text())
    assert (facts["stage"], facts["model"], facts["steps"], facts["token_word"]) == (
        "teach",
        "sdxl-tiny",
        STEPS,
        "ohwx",
    )
    assert len(facts["photos"]) == 3
    for name in ("pytorch_lora_weights.safetensors", "kohya_lora_weights.safetensors"):
        with safe_open(base / "model" / name, "pt") as opened:
            header = opened.metadata()
        weights = base / "input" / "data" / "base" / "unet" / "diffusion_pytorch_model.safetensors"
        assert header["proxytune.base_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
        assert (header["modelspec.title"], header["modelspec.trigger_phrase"]) == ("a ohwx dog", "ohwx")
        assert header["modelspec.license"] == "a licence"
        assert json.loads(header["proxytune.photos"]) == facts["photos"]
        assert json.loads(header["proxytune.settings"])["steps"] == STEPS
    record = progress_of(base)
    assert schema.check("progress", record) is None
    assert (record["job"], record["step"], record["resumed_from"]) == (base.name, STEPS, stopped_at)
    assert not (base / "output" / "failure").exists()


def test_invalid_settings_are_named_in_the_failure_file(tiny_model, tmp_path):
    base = write_teach_job(tmp_path / "job", tiny_model("sdxl-tiny"), rank="many")
    process = start(base)
    output = finish(process)
    assert process.returncode == 1
    failure = (base / "output" / "failure").read_text()
    assert failure.startswith("HyperparameterInvalid: ")
    assert "rank" in failure
    assert failure in output
