"""Import of a model from a fake hub to a folder and to the emulator's S3."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import traceback
import uuid
from functools import partial
from itertools import product
from pathlib import Path

import pytest
import torch
from fake_hub import COMMIT, serve
from huggingface_hub import constants

from dev.tools.alone import alone
from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.importing import hub as hub_module
from proxytune.importing import targets
from proxytune.importing.hub import Hub
from proxytune.importing.importer import import_files
from proxytune.importing.job import import_model
from proxytune.importing.targets import Bucket, Folder
from proxytune.metrics.encoders import ClipEncoder

CONTAINERS = Path(__file__).parents[2]
REPOSITORY = "owner/tiny"
LICENCE = {"name": "MIT", "url": "https://example.com", "commercial": "yes", "note": "none"}
LARGE = bytes(range(250)) * 40
FILES = {
    "model_index.json": b'{"_class_name": "x"}',
    "unet/config.json": b"{}",
    "unet/model-00001-of-00002.safetensors": LARGE,
    "unet/model-00002-of-00002.safetensors": LARGE[::-1],
    "unet/model.fp16-00001-of-00002.safetensors": LARGE[:5000],
    "unet/model.onnx": LARGE,
    "tokenizer/vocab.json": b"[]",
    "tokenizer/deeper/x.json": b"no",
    "README.md": b"words",
}
WANTED = ["model_index.json", "unet/config.json", "unet/model-*.safetensors", "tokenizer/*"]
CHOSEN = [
    "model_index.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/model-00001-of-00002.safetensors",
    "unet/model-00002-of-00002.safetensors",
]
FIRST = CHOSEN[3]


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


def import_request(**changes):
    return {
        "version": 1,
        "model": "x",
        "repository": REPOSITORY,
        "revision": None,
        "files": WANTED,
        "licence": LICENCE,
        "gated": False,
        "secret": None,
        "bucket": "b",
        "prefix": "models/x/",
        **changes,
    }


def import_to(target, token=None, gated=False, **changes):
    wanted = import_request(gated=gated, **changes)
    lines = []
    hub = Hub(wanted["repository"], wanted["revision"], token, gated, wanted["secret"])
    manifest = import_files(wanted, hub, target, lambda line, done, of: lines.append(f"{done}/{of} {line}"))
    return manifest, lines


def content_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def large_requests(server):
    return [entry for entry in server.state.requests if entry.startswith("/large/")]


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


def test_a_gated_model_requires_the_token_of_an_account_with_access(server, tmp_path, capsys):
    token = "hf_secret-of-mine"
    (server.repository / "gated").write_text(token)
    refusals = {None: "no token was given", "hf_of-another": "the token's account has no access"}
    places = {
        None: "the environment variable HF_TOKEN",
        "proxytune/Mine/token": "--name proxytune/Mine/token",
    }
    for (wrong, why), (secret, place) in product(refusals.items(), places.items()):
        with pytest.raises(ProxytuneError, match=why) as caught:
            import_to(Folder(tmp_path / "out"), token=wrong, gated=True, secret=secret)
        assert caught.value.name == "ModelGated"
        assert f"https://huggingface.co/{REPOSITORY}" in str(caught.value)
        assert place in str(caught.value)
        assert ("aws secretsmanager" in str(caught.value)) is (secret is not None)
        assert "hf_of-another" not in str(caught.value)
    # The other host, which serves large files, responds with 400 to a token: it must not be forwarded.
    manifest, lines = import_to(Folder(tmp_path / "out"), token=token, gated=True)
    assert manifest["gated"]
    assert content_of(tmp_path / "out") == {path: FILES[path] for path in CHOSEN}
    printed = "".join(capsys.readouterr()) + "".join(lines) + json.dumps(manifest)
    assert token not in printed


@pytest.fixture
def bucket(aws):
    client = aws("s3")
    name = f"import-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    return client, name


def objects(client, name):
    listed = client.list_objects_v2(Bucket=name).get("Contents", [])
    return {entry["Key"]: client.get_object(Bucket=name, Key=entry["Key"])["Body"].read() for entry in listed}


def test_an_import_to_a_bucket_uses_parts_and_is_done_only_once(server, bucket, monkeypatch):
    client, name = bucket
    monkeypatch.setattr(targets, "PART_BYTES", 3000)
    client.put_object(Bucket=name, Key="models/x/stray.safetensors", Body=b"x")
    client.put_object(Bucket=name, Key="models/xy/config.json", Body=b"another model")
    manifest, _ = import_to(Bucket(name, "models/x/"))
    there = objects(client, name)
    assert there.pop("models/xy/config.json") == b"another model"
    assert json.loads(there.pop("models/x/manifest.json")) == manifest
    assert there == {f"models/x/{path}": FILES[path] for path in CHOSEN}
    listed = client.list_objects_v2(Bucket=name, Prefix="models/x/")["Contents"]
    etags = {entry["Key"].removeprefix("models/x/"): entry["ETag"].strip('"') for entry in listed}
    assert {entry["path"]: entry["etag"] for entry in manifest["files"]}.items() <= etags.items()
    assert etags[FIRST].endswith("-4")
    server.state.requests.clear()
    assert import_to(Bucket(name, "models/x/"))[0]["files"] == manifest["files"]
    assert large_requests(server) == []


def test_a_broken_import_to_a_bucket_leaves_no_manifest_and_no_upload(server, bucket, monkeypatch):
    client, name = bucket
    monkeypatch.setattr(targets, "PART_BYTES", 3000)
    import_to(Bucket(name, "models/x/"))
    client.delete_object(Bucket=name, Key=f"models/x/{FIRST}")
    server.state.instead[FIRST] = LARGE[:-1] + b"!"
    with pytest.raises(ProxytuneError, match="differs from what the hub announced"):
        import_to(Bucket(name, "models/x/"))
    assert f"models/x/{FIRST}" not in objects(client, name)
    assert "models/x/manifest.json" not in objects(client, name)
    assert client.list_multipart_uploads(Bucket=name).get("Uploads", []) == []


def test_a_pickle_becomes_safetensors_that_load(server, bucket, tmp_path, tiny_model, monkeypatch):
    made = tiny_model("clip-tiny")
    from transformers import CLIPModel

    state = CLIPModel.from_pretrained(made).state_dict()
    state["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    for file in made.iterdir():
        if file.suffix in (".json", ".txt"):
            (server.repository / file.name).write_bytes(file.read_bytes())
    torch.save(state, server.repository / "pytorch_model.bin")
    files = [*(file.name for file in made.iterdir() if file.suffix in (".json", ".txt")), "pytorch_model.bin"]
    manifest, _ = import_to(Folder(tmp_path / "out"), files=files)
    assert "model.safetensors" in [entry["path"] for entry in manifest["files"]]
    assert not (tmp_path / "out" / "pytorch_model.bin").exists()
    ours, theirs = (ClipEncoder(of, torch.device("cpu")) for of in (tmp_path / "out", made))
    for name, weight in theirs.model.state_dict().items():
        assert torch.equal(weight, ours.model.state_dict()[name])
    # The bytes are reproducible, so in a bucket the file is recognized.
    again, _ = import_to(Bucket(bucket[1], "models/x/"), files=files)
    sums = [{entry["path"]: entry["sha256"] for entry in one["files"]} for one in (manifest, again)]
    assert sums[0] == sums[1]


class Evil:
    """Executes code when it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code of a pickle was run')",))


@pytest.mark.parametrize("state", [Evil(), {"a": torch.ones(1), "b": "words"}], ids=["code", "words"])
def test_a_pickle_with_more_than_tensors_is_refused(server, tmp_path, state):
    with (server.repository / "pytorch_model.bin").open("wb") as opened:
        if isinstance(state, dict):
            torch.save(state, opened)
        else:
            pickle.dump(state, opened)
    with pytest.raises(ProxytuneError) as caught:
        import_to(Folder(tmp_path / "out"), files=["pytorch_model.bin"])
    assert caught.value.name == "ModelMismatch"


def test_the_job_reads_the_token_from_the_secret_and_writes_it_nowhere(server, bucket, aws, tmp_path, capsys):
    client, name = bucket
    token = f"hf_{uuid.uuid4().hex}"
    secret = f"proxytune/test-{uuid.uuid4().hex}"
    (server.repository / "gated").write_text(token)
    aws("secretsmanager").create_secret(Name=secret, SecretString=f"{token}\n")
    given = import_request(gated=True, secret=secret, bucket=name)
    job = Folders(tmp_path / "ml")
    channel = tmp_path / "ml" / "input" / "data" / "import-request"
    for folder in (channel, job.model):
        folder.mkdir(parents=True)
    (channel / "import-request.json").write_text(json.dumps(given))
    import_model(job, {"stage": "import-model", "model": "x"}, None)
    assert set(objects(client, name)) == {f"models/x/{path}" for path in [*CHOSEN, "manifest.json"]}
    progress = json.loads((job.checkpoints / "progress.json").read_text())
    assert schema.check("progress", progress) is None
    assert (progress["stage"], progress["step"], progress["total"]) == ("import-model", 5, 5)
    left = "".join(capsys.readouterr()) + "".join(
        path.read_text("utf-8") for path in (tmp_path / "ml").rglob("*") if path.is_file()
    )
    assert token not in left


@pytest.mark.parametrize("token", ["hf_mine\nhf_other", "hf_m\u00efne", "hf_mi ne", "hf_mine\0"])
def test_a_token_that_is_invalid_in_a_header_is_refused_without_being_shown(server, token):
    with pytest.raises(ProxytuneError, match="not allowed in a token") as caught:
        Hub(REPOSITORY, None, token, gated=True)
    assert caught.value.name == "ModelGated"
    assert server.state.requests == []
    # The log contains the traceback, with all causes of the error.
    assert "hf_m" not in "".join(traceback.format_exception(caught.value))


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
