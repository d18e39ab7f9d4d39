"""Imports to a bucket."""

import json

import pytest
from small_imports import CHOSEN, FILES, FIRST, LARGE, import_to, large_requests, objects

from proxytune.contract.errors import ProxytuneError
from proxytune.importing import targets
from proxytune.importing.targets import Bucket


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
