"""Import of a model from a small hub to a folder."""

import hashlib
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from fake_hub import COMMIT
from huggingface_hub import constants
from small_imports import (
    CHOSEN,
    FILES,
    FIRST,
    LARGE,
    REPOSITORY,
    content_of,
    import_request,
    import_to,
    large_requests,
)

from dev.tools.alone import alone
from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError
from proxytune.importing import hub as hub_module
from proxytune.importing.targets import Folder

CONTAINERS = Path(__file__).parents[2]


def test_files_that_match_the_patterns_are_imported_with_hashes_and_the_commit(server, tmp_path):
    manifest, lines = import_to(Folder(tmp_path / "out"))
    assert content_of(tmp_path / "out") == {path: FILES[path] for path in CHOSEN}
    assert manifest["revision"] == COMMIT
    assert manifest["source"] == f"https://huggingface.co/{REPOSITORY}"
    assert [entry["path"] for entry in manifest["files"]] == CHOSEN
    for entry in manifest["files"]:
        assert entry["sha256"] == hashlib.sha256(FILES[entry["path"]]).hexdigest()
    written = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert schema.check("model-manifest", written) is None
    assert written["linked"] == str((tmp_path / "out").resolve())
    assert lines[-1].startswith("5/5 ")


def test_a_second_import_fetches_no_large_file_and_removes_stray_ones(server, tmp_path):
    out = tmp_path / "out"
    import_to(Folder(out))
    (out / "stray.safetensors").write_bytes(b"x")
    (out / CHOSEN[4]).write_bytes(LARGE)
    server.state.requests.clear()
    import_to(Folder(out))
    assert content_of(out) == {path: FILES[path] for path in CHOSEN}
    # Only the changed one, although its size is the same.
    assert large_requests(server) == [f"/large/{REPOSITORY}/{CHOSEN[4]}"]


def test_an_interrupted_stream_is_resumed(server, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_module, "READ_BYTES", 500)
    server.state.break_after[FIRST] = [3000, 0, 2500]
    import_to(Folder(tmp_path / "out"))
    assert (tmp_path / "out" / FIRST).read_bytes() == LARGE
    ranges = [entry.split(" ")[1] for entry in large_requests(server) if FIRST in entry and " " in entry]
    assert ranges == ["bytes=3000-", "bytes=3000-", "bytes=5500-"]


def test_a_server_without_ranges_sends_the_complete_file_again(server, tmp_path):
    server.state.ranges = False
    server.state.break_after[FIRST] = [3000]
    import_to(Folder(tmp_path / "out"))
    assert (tmp_path / "out" / FIRST).read_bytes() == LARGE


def test_a_stream_that_never_ends_is_given_up(server, tmp_path):
    server.state.break_after[FIRST] = [0] * 50
    with pytest.raises(ProxytuneError, match="Cannot fetch") as caught:
        import_to(Folder(tmp_path / "out"))
    assert caught.value.name == "HubFailed"
    assert len([entry for entry in large_requests(server) if FIRST in entry]) == hub_module.ATTEMPTS
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.parametrize("path", [FIRST, "unet/config.json"])
def test_content_that_differs_from_the_announced_one_is_refused(server, tmp_path, path):
    server.state.instead[path] = b"[" + FILES[path][1:]
    with pytest.raises(ProxytuneError, match=f"content of {path} differs") as caught:
        import_to(Folder(tmp_path / "out"))
    assert caught.value.name == "HubFailed"
    assert not (tmp_path / "out" / path).exists()
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_revision_can_be_a_commit(server, tmp_path):
    manifest, _ = import_to(Folder(tmp_path / "out"), revision=COMMIT)
    assert manifest["revision"] == COMMIT
    assert server.state.requests[0] == f"/api/models/{REPOSITORY}/revision/{COMMIT}"
    with pytest.raises(ProxytuneError) as caught:
        import_to(Folder(tmp_path / "out"), revision="gone")
    assert caught.value.name == "HubFailed"


def test_a_repository_with_another_layout_is_reported(server, tmp_path):
    with pytest.raises(ProxytuneError, match=r"has no vae/\*") as caught:
        import_to(Folder(tmp_path / "out"), files=["vae/*"])
    assert caught.value.name == "HubFailed"
    assert "it has README.md, model_index.json" in str(caught.value)


def test_a_repository_that_does_not_exist_is_reported(server, tmp_path):
    with pytest.raises(ProxytuneError) as caught:
        import_to(Folder(tmp_path / "out"), repository="owner/none")
    assert caught.value.name == "HubFailed"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_hub_is_queried_again(server, tmp_path, status):
    server.state.refuse = [status, status]
    manifest, _ = import_to(Folder(tmp_path / "out"))
    assert [entry["path"] for entry in manifest["files"]] == CHOSEN
    server.state.refuse = [status] * 50
    with pytest.raises(ProxytuneError, match=str(status)) as caught:
        import_to(Folder(tmp_path / "out"))
    assert caught.value.name == "HubFailed"


def test_two_imports_into_one_folder_do_not_mix(server, tmp_path):
    out, given = tmp_path / "models" / "x", tmp_path / "order.json"
    given.write_text(json.dumps(import_request()))
    command = [sys.executable, "dev/tools/import_model.py", "--order", str(given), "--out", str(out)]
    # As it is started on one machine: a process of its own, which reads the hub's address itself.
    tool = partial(
        subprocess.run,
        command,
        cwd=CONTAINERS,
        env={**os.environ, "HF_ENDPOINT": constants.ENDPOINT},
        capture_output=True,
        text=True,
    )
    with alone(out):
        refused = tool()
    assert refused.returncode == 1
    assert refused.stderr.startswith("RunActive: Another import")
    assert not out.exists()
    assert tool().returncode == 0
    assert content_of(out) == {path: FILES[path] for path in CHOSEN}
