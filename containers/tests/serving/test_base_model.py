import hashlib
import http.server
import json
import threading
import uuid
from xml.sax.saxutils import escape

import numpy as np
import pytest

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.serving.base_model import RANGE_BYTES, fetch


class Bucket(http.server.BaseHTTPRequestHandler):
    """S3's protocol, as far as a download uses it; `objects` has the keys of the bucket `models`."""

    objects: dict[str, bytes]
    listed: dict[str, int]
    break_off: list[str]  # ranges to break off, once each
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if "list-type=2" in query:
            self.respond(200, self.listing().encode(), "application/xml")
            return
        content = self.objects[path.removeprefix("/models/")]
        first, last = 0, len(content) - 1
        if "Range" in self.headers:
            begin, _, end = self.headers["Range"].removeprefix("bytes=").partition("-")
            first, last = int(begin), int(end or last)
        part = content[first : last + 1]
        if self.headers.get("Range") in self.break_off:
            self.break_off.remove(self.headers["Range"])
            self.send_response(206)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            self.end_headers()
            self.wfile.write(part[:1000])
            self.close_connection = True
            return
        headers = {"Content-Range": f"bytes {first}-{last}/{len(content)}", "ETag": '"tag"'}
        self.respond(206 if "Range" in self.headers else 200, part, "binary/octet-stream", headers)

    def do_HEAD(self):
        content = self.objects[self.path.removeprefix("/models/")]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"tag"')
        self.end_headers()

    def respond(self, status, body, kind, headers=None):
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def listing(self):
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size><ETag>&quot;tag&quot;</ETag></Contents>"
            for key, size in self.listed.items()
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"

    def log_message(self, *_):
        pass


def manifest_of(prefix, objects):
    """The manifest of the objects with a prefix, as import-model writes it; empty without objects."""
    files = [
        {
            "path": key[len(prefix) :],
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "etag": None,
            "modified": None,
        }
        for key, content in objects.items()
        if key[-1] != "/"
    ]
    licence = {"name": "MIT", "url": "https://example.com", "commercial": "yes", "note": "none"}
    manifest = {
        "version": 1,
        "model": "x",
        "source": "a test",
        "revision": None,
        "licence": licence,
        "gated": False,
        "importedAt": "2026-01-01T00:00:00.000Z",
        "bytes": sum(file["size"] for file in files),
        "linked": None,
        "files": files,
    }
    return {f"{prefix}manifest.json": json.dumps(manifest).encode()} if files else {}


@pytest.fixture
def bucket(monkeypatch):
    handler = type("Handler", (Bucket,), {"objects": {}, "listed": {}, "break_off": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    def put(objects, **listed):
        handler.objects = objects = {**objects, **manifest_of("m/x/", objects)}
        handler.listed = {key: len(content) for key, content in objects.items()} | listed
        return handler

    yield put
    server.shutdown()
    server.server_close()
    thread.join()


def test_all_objects_with_the_prefix_are_downloaded_and_removed_afterwards(bucket):
    large = bytes(range(256)) * (RANGE_BYTES // 256) + b"the second range"
    bucket({"m/x/config.json": b"{}", "m/x/unet/weights": large, "m/x/": b""})
    with fetch("s3://models/m/x/") as folder:
        assert (folder / "config.json").read_bytes() == b"{}"
        assert (folder / "unet" / "weights").read_bytes() == large
    assert not folder.exists()


@pytest.fixture
def stored(aws):
    """A bucket of the emulator with a model of one small file and one of several ranges."""
    client = aws("s3")
    name = f"models-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    large = np.random.default_rng(5).bytes(2 * RANGE_BYTES + 1233) + b"?"
    objects = {"m/x/config.json": b"{}", "m/x/unet/weights": large}
    objects |= manifest_of("m/x/", objects)

    def put(**changes):
        for key, content in {**objects, **{f"m/x/{path}": body for path, body in changes.items()}}.items():
            client.put_object(Bucket=name, Key=key, Body=content)
        return f"s3://{name}/m/x/"

    put.large, put.client, put.bucket = large, client, name
    return put


def test_a_file_of_several_ranges_is_downloaded_completely(stored):
    with fetch(stored()) as folder:
        assert (folder / "unet" / "weights").read_bytes() == stored.large
        assert (folder / "config.json").read_bytes() == b"{}"
        assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["config.json", "weights"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"unet/weights": lambda large: large[:-1]}, "unet/weights has"),
        (
            {"unet/weights": lambda large: large[:-1] + b"!"},
            "unet/weights has other content",
        ),
        ({"config.json": lambda _: b"[]"}, "config.json has other content"),
        ({"stray.safetensors": lambda _: b"x"}, "stray.safetensors was not imported"),
        ({"manifest.json": lambda _: b"{"}, "manifest.json is not valid JSON"),
        ({"manifest.json": lambda _: b"{}"}, "manifest.json has another version"),
        ({"manifest.json": lambda _: b"\xff\xfe{"}, "manifest.json is not valid JSON"),
    ],
    ids=["truncated", "one-bit", "small-file", "new-file", "cut-manifest", "other-manifest", "no-text"],
)
def test_a_changed_object_is_reported_as_a_changed_model(stored, change, why):
    uri = stored(**{path: make(stored.large) for path, make in change.items()})
    with pytest.raises(ProxytuneError, match=why) as caught, fetch(uri):
        pass
    assert caught.value.name == "ModelChanged"


def test_a_model_without_its_manifest_is_incomplete(stored):
    uri = stored()
    stored.client.delete_object(Bucket=stored.bucket, Key="m/x/manifest.json")
    with pytest.raises(ProxytuneError, match="no manifest.json") as caught, fetch(uri):
        pass
    assert caught.value.name == "ModelMissing"


def test_a_range_that_breaks_off_is_requested_again(bucket):
    large = bytes(range(256)) * (RANGE_BYTES // 128)
    handler = bucket({"m/x/weights": large})
    handler.break_off = [f"bytes=0-{RANGE_BYTES - 1}", f"bytes={RANGE_BYTES}-"]
    with fetch("s3://models/m/x/") as folder:
        assert (folder / "weights").read_bytes() == large
    assert handler.break_off == []


def test_a_channel_with_a_changed_model_is_refused(tmp_path):
    base = tmp_path / "input" / "data" / "base"
    objects = {"config.json": b"{}", "unet/weights": b"weights"}
    for path, content in {**objects, **manifest_of("", objects)}.items():
        (base / path).parent.mkdir(parents=True, exist_ok=True)
        (base / path).write_bytes(content)
    assert Folders(tmp_path).channel("base") == base
    (base / "unet" / "weights").write_bytes(b"Weights")
    with pytest.raises(ProxytuneError, match="unet/weights has other content") as caught:
        Folders(tmp_path).channel("base")
    assert caught.value.name == "ModelChanged"
    (base / "manifest.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(ProxytuneError, match=r"manifest\.json is not valid JSON") as caught:
        Folders(tmp_path).channel("base")
    assert caught.value.name == "ModelChanged"


def test_an_empty_prefix_is_reported_as_a_missing_model(bucket):
    bucket({})
    with pytest.raises(ProxytuneError, match="contains no objects") as caught, fetch("s3://models/m/x/"):
        pass
    assert caught.value.name == "ModelMissing"


def test_a_key_that_leads_out_of_the_folder_is_refused(bucket):
    bucket({"m/x/../../../../../../tmp/out": b"x"})
    with pytest.raises(ProxytuneError, match="leads out"), fetch("s3://models/m/x/"):
        pass


def test_an_unreachable_bucket_is_reported_as_a_missing_model(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(ProxytuneError) as caught, fetch("s3://models/m/x/"):
        pass
    assert caught.value.name == "ModelMissing"


def test_a_local_folder_is_used_where_it_is(tmp_path):
    with fetch(f"file://{tmp_path}") as folder:
        assert folder == tmp_path
    assert tmp_path.exists()
    with pytest.raises(ProxytuneError, match="does not exist"), fetch(f"file://{tmp_path}/none"):
        pass


def test_another_kind_of_address_is_refused():
    with pytest.raises(ProxytuneError) as caught, fetch("https://example.com/x"):
        pass
    assert caught.value.name == "HyperparameterInvalid"
