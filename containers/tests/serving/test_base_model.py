import http.server
import threading
from xml.sax.saxutils import escape

import pytest

from proxytune.contract.errors import ProxytuneError
from proxytune.serving.base_model import RANGE_BYTES, fetch


class Bucket(http.server.BaseHTTPRequestHandler):
    """As much of S3's protocol as a download needs; keys of the bucket `models` in `objects`."""

    objects: dict[str, bytes]
    listed: dict[str, int]
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if "list-type=2" in query:
            self.answer(200, self.listing().encode(), "application/xml")
            return
        content = self.objects[path.removeprefix("/models/")]
        first, last = 0, len(content) - 1
        if "Range" in self.headers:
            begin, _, end = self.headers["Range"].removeprefix("bytes=").partition("-")
            first, last = int(begin), int(end or last)
        part = content[first : last + 1]
        headers = {"Content-Range": f"bytes {first}-{last}/{len(content)}", "ETag": '"tag"'}
        self.answer(206 if "Range" in self.headers else 200, part, "binary/octet-stream", headers)

    def do_HEAD(self):
        content = self.objects[self.path.removeprefix("/models/")]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"tag"')
        self.end_headers()

    def answer(self, status, body, kind, headers=None):
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


@pytest.fixture
def bucket(monkeypatch):
    handler = type("Handler", (Bucket,), {"objects": {}, "listed": {}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def put(objects, **listed):
        handler.objects = objects
        handler.listed = {key: len(content) for key, content in objects.items()} | listed

    yield put
    server.shutdown()
    server.server_close()
    thread.join()


def test_all_objects_below_the_prefix_arrive_and_are_removed_afterwards(bucket):
    large = bytes(range(256)) * (RANGE_BYTES // 256) + b"the second range"
    bucket({"m/x/config.json": b"{}", "m/x/unet/weights": large, "m/x/": b""})
    with fetch("s3://models/m/x/") as folder:
        assert (folder / "config.json").read_bytes() == b"{}"
        assert (folder / "unet" / "weights").read_bytes() == large
    assert not folder.exists()


def test_an_empty_prefix_is_a_missing_model(bucket):
    bucket({})
    with pytest.raises(ProxytuneError, match="holds no object") as caught, fetch("s3://models/m/x/"):
        pass
    assert caught.value.name == "ModelMissing"


def test_a_key_that_leads_out_of_the_folder_is_refused(bucket):
    bucket({"m/x/../../../../../../tmp/out": b"x"})
    with pytest.raises(ProxytuneError, match="leads out"), fetch("s3://models/m/x/"):
        pass


def test_a_bucket_that_cannot_be_reached_is_a_missing_model(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
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
