"""Shared by all tests of the containers: the environment of a job, and the tiny models."""

import contextlib
import functools
import os
import socket
import subprocess
import sys
import time

# As proxytune/__main__.py sets it, and as early: torch reads it when it is imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.kernels import use_stored_kernels

# Before anything is computed.
use_stored_kernels()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Catalogue id -> folder of that tiny model, made once a session. Do not write into it."""
    made: dict[str, Path] = {}

    def folder(model: str) -> Path:
        if model not in made:
            from dev import tiny_models

            made[model] = tmp_path_factory.mktemp("tiny") / model
            tiny_models.write(model, made[model])
        return made[model]

    return folder


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a local AWS, as of the end-to-end tests, without anything on disk."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("emulator")
    places = {"TMPDIR": folder, "STATE_DIR": folder / "state", "S3_DATA_DIR": folder / "s3"}
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **{name: str(place) for name, place in places.items()},
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }
    log = folder / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, stdout=out, stderr=out, cwd=folder
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def aws(emulator: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Clients of that AWS by service name; the environment redirects every other client to it too."""
    import boto3

    settings = {
        "AWS_ENDPOINT_URL": emulator,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    # The code under test must not rely on this one.
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    return functools.partial(boto3.client, region_name="us-east-1")
