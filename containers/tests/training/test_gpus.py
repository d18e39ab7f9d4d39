"""A container without the GPUs that it was planned with ends before it loads anything."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from jobs import write_teach_job

from proxytune.contract.errors import ProxytuneError
from proxytune.training.gpus import require_gpus

LONGEST_SECONDS = 60
TOO_OLD = (
    "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). Please update "
    "your GPU driver."
)


@pytest.fixture
def see(monkeypatch):
    """Let torch find so many GPUs, with the warning that it gives for a driver that is too old."""

    def see(gpus, warning=None, known_to_the_driver=None):
        def available():
            if warning is not None:
                warnings.warn(warning, stacklevel=1)
            return gpus > 0

        monkeypatch.setattr(torch.cuda, "is_available", available)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: known_to_the_driver or gpus)

    monkeypatch.delenv("PROXYTUNE_EMULATED", raising=False)
    return see


@pytest.mark.parametrize(("expected", "seen"), [(None, 0), ("", 0), ("0", 0), ("1", 1), ("1", 8), ("4", 4)])
def test_as_many_gpus_as_planned_or_more_are_enough(see, monkeypatch, expected, seen):
    see(seen)
    monkeypatch.delenv("PROXYTUNE_GPUS", raising=False)
    if expected is not None:
        monkeypatch.setenv("PROXYTUNE_GPUS", expected)
    require_gpus()


@pytest.mark.parametrize(("expected", "seen"), [("1", 0), ("4", 3)])
def test_fewer_are_an_error_with_a_remedy(see, monkeypatch, expected, seen):
    see(seen)
    monkeypatch.setenv("PROXYTUNE_GPUS", expected)
    with pytest.raises(ProxytuneError, match=f"Given: {seen} GPU.*Allowed: at least {expected}") as caught:
        require_gpus()
    assert caught.value.name == "GpuMissing"
    assert "instanceType" in caught.value.remedy
    assert len(caught.value.line) < 1024


def test_a_gpu_that_torch_cannot_use_does_not_count_and_torch_says_why(see, monkeypatch):
    see(0, TOO_OLD, known_to_the_driver=1)
    monkeypatch.setenv("PROXYTUNE_GPUS", "1")
    with pytest.raises(ProxytuneError) as caught:
        require_gpus()
    assert "Given: 0 GPU" in str(caught.value)
    assert f"torch {torch.__version__}" in str(caught.value)
    assert "driver on your system is too old (found version 11040))" in str(caught.value)


def test_where_another_machine_takes_the_instances_place_it_is_only_logged(see, monkeypatch, capsys):
    see(0)
    monkeypatch.setenv("PROXYTUNE_GPUS", "1")
    monkeypatch.setenv("PROXYTUNE_EMULATED", "yes")
    require_gpus()
    assert "takes the place of an instance with 1 GPU, and has 0" in capsys.readouterr().out


@pytest.mark.parametrize("given", ["one", "-1", "1.5"])
def test_a_value_that_is_not_a_number_of_gpus_is_refused(monkeypatch, given):
    monkeypatch.setenv("PROXYTUNE_GPUS", given)
    with pytest.raises(ProxytuneError, match="PROXYTUNE_GPUS is not a number") as caught:
        require_gpus()
    assert caught.value.name == "HyperparameterInvalid"


def run(base: Path, command: str, **variables: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """Start a container's command without any GPU, and wait for its end."""
    environment = {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "",
        "PROXYTUNE_GPUS": "1",
        "SAGEMAKER_BASE_DIR": str(base),
        **variables,
    }
    environment.pop("PROXYTUNE_EMULATED", None)
    started = children_seconds()
    ended = subprocess.run(
        [sys.executable, "-m", "proxytune", command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    return ended, children_seconds() - started


def children_seconds() -> float:
    """Count the seconds that children of this process have computed: a busy machine does not change them."""
    times = os.times()
    return times.children_user + times.children_system


def test_a_training_without_its_gpu_ends_within_a_minute_before_it_reads_the_model(tmp_path):
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    base = write_teach_job(tmp_path / "job", nothing)
    ended, seconds = run(base, "train")
    assert ended.returncode == 1, ended.stdout
    assert (base / "output" / "failure").read_text().startswith("GpuMissing: ")
    assert seconds < LONGEST_SECONDS


def test_a_transform_without_its_gpu_ends_within_a_minute_before_it_downloads_the_model(tmp_path):
    note = tmp_path / "note.txt"
    ended, seconds = run(
        tmp_path,
        "serve",
        PROXYTUNE_ROLE="teacher",
        PROXYTUNE_FAMILY="sdxl",
        PROXYTUNE_MODEL="sdxl-tiny",
        PROXYTUNE_BASE_MODEL="file:///nowhere",
        PROXYTUNE_BIND_HOST="127.0.0.1",
        PROXYTUNE_FAILURE_NOTE=f"file://{note}",
        SAGEMAKER_BIND_TO_PORT="0",
    )
    assert ended.returncode == 1, ended.stdout
    assert ended.stderr.strip().splitlines()[-1].startswith("GpuMissing: ")
    assert note.read_text().startswith("GpuMissing: ")
    assert seconds < LONGEST_SECONDS
