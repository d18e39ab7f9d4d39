"""The exit code of a job in several processes when one of them ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jobs import write_teach_job

# The code that lib/core/jobs/outcome.ts, and its test, report as OutOfMemory.
KILLED = 137


def exit_code(tmp_path, ending):
    script = tmp_path / "worker.py"
    script.write_text(
        f"import os, signal, sys, time\nif os.environ['RANK'] == '1':\n    {ending}\ntime.sleep(0.5)\n"
    )
    command = [sys.executable, "-m", "proxytune.training.workers", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run([*command, str(script)], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("ending", "code"),
    [("sys.exit(3)", 1), ("pass", 0)],
)
def test_the_exit_code_is_that_of_torchrun_unless_a_process_is_killed(tmp_path, ending, code):
    ended = exit_code(tmp_path, ending)
    assert ended.returncode == code, ended.stderr
    assert ("exitcode" in ended.stderr) == (code != 0)


def test_a_job_ends_as_killed_when_one_of_its_processes_is_killed(tiny_model, tmp_path):
    base = write_teach_job(tmp_path / "job", tiny_model("sdxl-tiny"), batch_size="4")
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(base), "PROXYTUNE_PROCESSES": "2"}
    command = [sys.executable, "-m", "proxytune", "train"]
    job = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (found := workers_of(base)):
            assert job.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(found[0], signal.SIGKILL)
        assert job.wait(timeout=120) == KILLED
    finally:
        job.kill()


def workers_of(base):
    """Find the worker processes of the job in a folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if b"\0RANK=" in environment and f"SAGEMAKER_BASE_DIR={base}\0".encode() in environment:
            found.append(int(folder.name))
    return found
