"""The serving process as SageMaker starts it."""

import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from jobs import TEACH, write_photos
from memory_use import left_over, living
from PIL import Image

from proxytune.contract import hyperparameters, schema
from proxytune.contract.errors import ProxytuneError
from proxytune.generation.rendering import render_shard
from proxytune.images import shard
from proxytune.images.chunk import parse
from proxytune.serving.server import load_generator
from proxytune.serving.settings import Settings
from proxytune.teacher.config import TrainConfig
from proxytune.teacher.families.sdxl import SDXL
from proxytune.teacher.lora_trainer import TeacherTrainer
from proxytune.teacher.photos import PhotoSet
from proxytune.training.lora import write_facts

CHUNK = {
    "version": 1,
    "stage": "synthesize",
    "chunk": 3,
    "variant": "tuned",
    "size": 64,
    "batch_size": 2,
    "sampler": {"kind": "diffusion", "steps": 2, "guidance": 5},
    "pictures": [{"index": number, "prompt": "a ohwx dog", "seed": 50 + number} for number in range(3)],
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def request(port: int, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", body, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except urllib.error.URLError:
        return 0, b""


def start(base: Path, port: int, **changes: str) -> subprocess.Popen:
    environment = {
        **os.environ,
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "PROXYTUNE_BIND_HOST": "127.0.0.1",
        "PROXYTUNE_ROLE": "teacher",
        "PROXYTUNE_FAMILY": "sdxl",
        "PROXYTUNE_MODEL": "sdxl-tiny",
        **changes,
    }
    command = [sys.executable, "-m", "proxytune", "serve"]
    return subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def served_folder(tiny_model, tmp_path_factory):
    base = tmp_path_factory.mktemp("served")
    write_photos(base / "photos")
    torch.manual_seed(1)
    teacher = TeacherTrainer(
        SDXL(), TrainConfig(["a ohwx dog"], "ohwx", rank=2, alpha=2, batch_size=1, seed=1)
    )
    teacher.prepare(tiny_model("sdxl-tiny"), PhotoSet(base / "photos", 64), torch.device("cpu"))
    teacher.save(base / "model")
    write_facts(base / "model", hyperparameters.parse(TEACH), photos=[])
    return base


def test_it_responds_with_503_until_loaded_and_then_generates_a_chunk(tiny_model, served_folder, tmp_path):
    port = free_port()
    process = start(served_folder, port, PROXYTUNE_BASE_MODEL=f"file://{tiny_model('sdxl-tiny')}")
    try:
        seen, deadline = [], time.monotonic() + 180
        while process.poll() is None and 200 not in seen and time.monotonic() < deadline:
            seen.append(request(port, "/ping")[0])
            time.sleep(0.02)
        assert seen[-1] == 200, process.communicate() if process.poll() is not None else seen
        assert 503 in seen
        status, content = request(port, "/invocations", json.dumps(CHUNK).encode())
        assert status == 200, content
        check_shard(content, tmp_path)
        assert request(port, "/invocations", json.dumps({**CHUNK, "batch_size": 1}).encode())[0] == 200
        status, refusal = request(port, "/invocations", json.dumps({**CHUNK, "size": 60}).encode())
        assert status == 400
        assert json.loads(refusal)["error"] == "HyperparameterInvalid"
        assert request(port, "/ping")[0] == 200
    finally:
        process.terminate()
        process.communicate(timeout=60)


def check_shard(content: bytes, folder: Path) -> None:
    (folder / "chunk.out").write_bytes(content)
    pictures = shard.read(folder / "chunk.out")
    assert [picture.record.seed for picture in pictures] == [50, 51, 52]
    assert {picture.image().size for picture in pictures} == {(64, 64)}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        record = json.load(tar.extractfile("000002.json"))
        assert Image.open(tar.extractfile("000002.png")).mode == "RGB"
    assert schema.check("picture-record", record) is None


def test_a_model_that_cannot_be_loaded_ends_the_process_with_the_name_of_the_error(served_folder):
    process = start(served_folder, free_port(), PROXYTUNE_BASE_MODEL="file:///nowhere")
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 1
    assert errors.strip().splitlines()[-1].startswith("ModelMissing: ")


def test_an_adapter_of_another_model_is_not_loaded(tiny_model, served_folder):
    base_model = f"file://{tiny_model('sdxl-tiny')}"
    settings = Settings("teacher", "sdxl", "sdxl-base", base_model, served_folder / "model", "127.0.0.1", 0)
    with pytest.raises(ProxytuneError, match="model sdxl-base") as caught:
        load_generator(settings, ExitStack())
    assert caught.value.name == "ModelMismatch"


def test_when_the_chunks_are_known_their_prompts_are_encoded_and_the_encoders_freed(
    tiny_model, served_folder, tmp_path
):
    (tmp_path / "chunk-0003.json").write_text(json.dumps(CHUNK))

    def generated(chunks):
        base_model = f"file://{tiny_model('sdxl-tiny')}"
        adapter, before = served_folder / "model", living()
        settings = Settings("teacher", "sdxl", "sdxl-tiny", base_model, adapter, "127.0.0.1", 0, chunks)
        with ExitStack() as resources:
            generator = load_generator(settings, resources)
            encoders = {name for name in left_over(before, []) if name.startswith("CLIPText")}
            return encoders, render_shard(generator, parse(json.dumps(CHUNK).encode()), "sdxl-tiny")

    (unknown, late), (known, early) = generated(""), generated(f"file://{tmp_path}/")
    assert "CLIPTextModel" in unknown
    assert known == set()
    assert early == late


def test_a_family_that_is_not_in_this_image_is_reported(served_folder):
    settings = Settings(
        "teacher", "pixart", "pixart", "file:///nowhere", served_folder / "model", "127.0.0.1", 0
    )
    with pytest.raises(ProxytuneError, match="pixart") as caught:
        load_generator(settings, ExitStack())
    assert caught.value.name == "ModelUnknown"


def test_a_missing_environment_variable_is_reported(served_folder):
    process = start(served_folder, free_port(), PROXYTUNE_ROLE="")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.startswith("HyperparameterInvalid: The environment variable PROXYTUNE_ROLE is not set.")
