import io
import json
import tarfile

import pytest
from PIL import Image
from starlette.testclient import TestClient

from proxytune.generation.generator import ImageGenerator
from proxytune.serving.app import Loaded, make_app

CHUNK = {
    "version": 1,
    "stage": "sample-teacher",
    "chunk": 0,
    "variant": "tuned",
    "size": 8,
    "batch_size": 2,
    "sampler": {"kind": "diffusion", "steps": 1, "guidance": 1},
    "pictures": [{"index": number, "prompt": "p", "seed": number} for number in (4, 3)],
}


class SeedPainter(ImageGenerator):
    """Paints an image's seed: the tests of the app need no model."""

    sampler_kind = "diffusion"

    def load(self, base, adapter, device):
        pass

    def encode_ahead(self, prompts):
        pass

    def stream(self, chunk):
        if chunk.pictures[0].prompt == "explode":
            raise RuntimeError("half-way")
        for request in chunk.pictures:
            yield request, Image.new("RGB", (8, 8), (request.seed, 0, 0))


@pytest.fixture
def client():
    return TestClient(make_app("teacher", "sdxl-tiny", Loaded(SeedPainter())), raise_server_exceptions=False)


def post(client, **changes):
    return client.post("/invocations", content=json.dumps({**CHUNK, **changes}))


def test_requests_are_refused_until_the_model_is_loaded():
    loaded = Loaded()
    client = TestClient(make_app("teacher", "sdxl-tiny", loaded))
    assert client.get("/ping").status_code == 503
    assert post(client).status_code == 503
    loaded.generator = SeedPainter()
    assert client.get("/ping").status_code == 200
    assert client.get("/ping").content == b""


def test_execution_parameters_request_one_chunk_at_a_time(client):
    assert client.get("/execution-parameters").json() == {
        "MaxConcurrentTransforms": 1,
        "BatchStrategy": "SINGLE_RECORD",
        "MaxPayloadInMB": 6,
    }


def test_a_chunk_becomes_a_shard_with_its_records(client):
    response = post(client)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(response.content)) as tar:
        assert tar.getnames() == ["000003.png", "000003.json", "000004.png", "000004.json"]
        record = json.load(tar.extractfile("000004.json"))
        assert Image.open(tar.extractfile("000004.png")).getpixel((0, 0)) == (4, 0, 0)
    assert (record["seed"], record["model"], record["stage"]) == (4, "sdxl-tiny", "sample-teacher")
    assert post(client).content == response.content


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": 1}, "size"),
        ({"stage": "sample-student"}, "not for the teacher"),
        (
            {"sampler": {"kind": "autoregressive", "guidance": 1, "temperature": 1, "top_k": 0, "top_p": 1}},
            "sampler is not for the teacher",
        ),
    ],
)
def test_an_invalid_chunk_is_refused_with_the_reason(client, changes, reason):
    response = post(client, **changes)
    assert response.status_code == 400
    assert response.json()["error"] == "HyperparameterInvalid"
    assert reason in response.json()["message"]


def test_a_chunk_that_is_too_large_is_refused(client):
    response = client.post("/invocations", content=b" " * (6 * 2**20 + 1))
    assert response.status_code == 400
    assert "too large" in response.json()["message"]


def test_a_failure_while_generating_is_a_server_error_without_a_partial_shard(client):
    response = post(client, pictures=[{"index": 0, "prompt": "explode", "seed": 1}])
    assert response.status_code == 500
    assert response.json()["error"] == "JobFailed"
    assert "half-way" in response.json()["message"]
    assert post(client).status_code == 200
