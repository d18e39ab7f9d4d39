"""A hub with one small repository, and a bucket to import it to."""

import uuid

import pytest
from fake_hub import serve
from huggingface_hub import constants
from small_imports import FILES, REPOSITORY

from proxytune.importing import hub as hub_module


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A hub with one repository; the library of the real one uses it."""
    folder = tmp_path / "hub" / REPOSITORY
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    running = serve(tmp_path / "hub")
    running.repository = folder
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{running.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_module, "FIRST_WAIT_SECONDS", 0.0)
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def bucket(aws):
    client = aws("s3")
    name = f"import-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    return client, name
