"""The proxies drawn by a training job: a transform's shards, shared by instances, resumed after a stop."""

import json
import os
import shutil
import signal
import tarfile

import pytest
import torch
from jobs import write_photos

from proxytune.contract import hyperparameters
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.generation import job as generation_job
from proxytune.generation.loading import load_onto_device, maker_for
from proxytune.generation.rendering import draw_shard
from proxytune.images.chunk import parse
from proxytune.images.dataset import read_proxies
from proxytune.teacher.config import TrainConfig
from proxytune.teacher.families.sdxl import SDXL
from proxytune.teacher.lora_trainer import TeacherTrainer
from proxytune.teacher.photos import PhotoSet
from proxytune.training.lora import write_facts
from proxytune.training.states import seed_everything

MODEL = "sdxl-tiny"
GIVEN = {"stage": "synthesize", "family": "sdxl", "model": MODEL, "seed": "0", "folder": "a1", "chunks": "5"}
CHUNKS = {
    f"chunk-{number:04d}.json": {
        "version": 1,
        "stage": "synthesize",
        "chunk": number,
        "variant": "tuned",
        "size": 64,
        "batch_size": 2,
        "sampler": {"kind": "diffusion", "steps": 1, "guidance": 5},
        "pictures": [
            {"index": 2 * number + copy, "prompt": "a ohwx dog", "seed": 2 * number + copy} for copy in (0, 1)
        ],
    }
    for number in range(5)
}


@pytest.fixture(scope="module")
def job(tiny_model, tmp_path_factory):
    """The folders of a job with five chunks, and the shards that a transform would answer with."""
    base = tmp_path_factory.mktemp("synthesis")
    write_photos(base / "photos")
    seed_everything(1)
    config = TrainConfig(["a ohwx dog"], "ohwx", rank=2, alpha=2, batch_size=1, seed=1)
    teacher = TeacherTrainer(SDXL(), config)
    teacher.prepare(tiny_model(MODEL), PhotoSet(base / "photos", 64), torch.device("cpu"))
    for _, value in teacher.named_parameters():
        value.data.normal_(std=0.2)
    teacher.save(base / "adapter")
    write_facts(base / "adapter", {"stage": "teach", "family": "sdxl", "model": MODEL})
    channels = base / "job" / "input" / "data"
    (channels / "chunks").mkdir(parents=True)
    (channels / "base").symlink_to(tiny_model(MODEL))
    for name, content in CHUNKS.items():
        (channels / "chunks" / name).write_text(json.dumps(content))
    (channels / "adapter").mkdir()
    with tarfile.open(channels / "adapter" / "model.tar.gz", "w:gz") as tar:
        for file in sorted((base / "adapter").iterdir()):
            tar.add(file, file.name)
    maker = maker_for("teacher", "sdxl", MODEL, base / "adapter")
    load_onto_device(maker, tiny_model(MODEL), base / "adapter", MODEL)
    shards = {
        f"{name}.out": draw_shard(maker, parse(json.dumps(content).encode()), MODEL)
        for name, content in CHUNKS.items()
    }
    return base / "job", shards


def instance(job, place, pictures, number=0, count=1):
    """The folders of one instance; `pictures` is the bucket's prefix, as the mirror keeps it."""
    shutil.copytree(job, place, symlinks=True)
    hosts = [f"algo-{each + 1}" for each in range(count)]
    config = place / "input" / "config"
    config.mkdir()
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": hosts[number], "hosts": hosts}))
    (place / "checkpoints").symlink_to(pictures)
    return Folders(place)


def draw(folders, **changes):
    generation_job.synthesize(folders, hyperparameters.parse({**GIVEN, **changes}), StopRequest())


def drawn(pictures):
    return {str(path.relative_to(pictures)): path.read_bytes() for path in pictures.rglob("*.out")}


def test_two_instances_share_the_chunks_and_write_what_a_transform_would(job, tmp_path, capsys):
    folder, shards = job
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    draw(instance(folder, tmp_path / "one", pictures, 0, 2))
    assert set(drawn(pictures)) == {f"a1/chunk-000{number}.json.out" for number in (0, 2, 4)}
    draw(instance(folder, tmp_path / "two", pictures, 1, 2))
    assert drawn(pictures) == {f"a1/{name}": content for name, content in shards.items()}
    assert "2 of 5 chunks are to be drawn here" in capsys.readouterr().out
    assert len(read_proxies(pictures, 10)) == 10


def test_the_gpus_of_all_instances_share_the_chunks(job, tmp_path, monkeypatch):
    folder, shards = job
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shares = []
    for host in (0, 1):
        folders = instance(folder, tmp_path / f"host-{host}", pictures, host, 2)
        for rank in (0, 1):
            # As torchrun tells each of its processes.
            monkeypatch.setenv("RANK", str(rank))
            monkeypatch.setenv("WORLD_SIZE", "2")
            before = set(drawn(pictures))
            draw(folders)
            shares.append(len(set(drawn(pictures)) - before))
    assert shares == [2, 1, 1, 1]
    assert drawn(pictures) == {f"a1/{name}": content for name, content in shards.items()}


def test_stopped_by_sigterm_it_goes_on_with_what_is_missing(job, tmp_path, monkeypatch):
    folder, shards = job
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    folders = instance(folder, tmp_path / "one", pictures)
    real, asked = generation_job.draw_shard, []

    def interrupted(maker, chunk, model):
        asked.append(chunk.chunk)
        if asked == [0, 1, 2]:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(maker, chunk, model)

    monkeypatch.setattr(generation_job, "draw_shard", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            generation_job.synthesize(folders, hyperparameters.parse(GIVEN), StopRequest().install())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 143
    assert set(drawn(pictures)) == {"a1/chunk-0000.json.out", "a1/chunk-0001.json.out"}
    # A shard of which only a part came back from the bucket.
    (pictures / "a1" / "chunk-0001.json.out").write_bytes(shards["chunk-0001.json.out"][:700])
    asked.clear()
    draw(folders, folder="a2")
    assert asked == [1, 2, 3, 4]
    assert {path.rpartition("/")[2]: content for path, content in drawn(pictures).items()} == shards
    assert {path.partition("/")[0] for path in drawn(pictures)} == {"a1", "a2"}
    # Where it lay: removed here it would still lie in the bucket, and end the stages that read all shards.
    assert "a1/chunk-0001.json.out" in drawn(pictures)
    (pictures / "a1" / "chunk-0003.json.out").write_bytes(b"half")
    asked.clear()
    draw(folders, folder="a3")
    assert asked == [3]
    assert len(read_proxies(pictures, 10)) == 10
    asked.clear()
    draw(folders, folder="a3")
    assert asked == []


@pytest.mark.parametrize("missing", [(1, 3), (0, 4), (3, 4)])
def test_what_an_earlier_attempt_left_is_shared_evenly(job, tmp_path, missing):
    folder, shards = job
    pictures = tmp_path / "pictures"
    (pictures / "a1").mkdir(parents=True)
    for number, (name, content) in enumerate(sorted(shards.items())):
        if number not in missing:
            (pictures / "a1" / name).write_bytes(content)
    shares = []
    for host in (0, 1):
        before = set(drawn(pictures))
        draw(instance(folder, tmp_path / f"host-{host}", pictures, host, 2), folder="a2")
        shares.append(len(set(drawn(pictures)) - before))
    # The second one started when the first had drawn, which must not change who draws what.
    assert shares == [1, 1]
    assert {path.rpartition("/")[2]: content for path, content in drawn(pictures).items()} == shards


def test_a_spoilt_shard_is_drawn_again_by_one_instance_alone(job, tmp_path, capsys):
    folder, shards = job
    pictures = tmp_path / "pictures"
    (pictures / "a1").mkdir(parents=True)
    for name, content in shards.items():
        (pictures / "a1" / name).write_bytes(b"half" if name.startswith("chunk-0002") else content)
    for host in (0, 1):
        draw(instance(folder, tmp_path / f"host-{host}", pictures, host, 2), folder="a2")
    assert capsys.readouterr().out.count("drawing: chunk 1 of 1") == 1
    assert drawn(pictures) == {f"a1/{name}": content for name, content in shards.items()}


def test_of_proxies_in_rounds_each_draws_what_is_wanted_by_its_end(job, tmp_path):
    folder, shards = job
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    folders = instance(folder, tmp_path / "one", pictures)
    draw(folders, chunks="2")
    draw(folders, chunks="4", folder="r2-a1")
    assert drawn(pictures) == {
        f"{place}/chunk-000{number}.json.out": shards[f"chunk-000{number}.json.out"]
        for place, number in (("a1", 0), ("a1", 1), ("r2-a1", 2), ("r2-a1", 3))
    }
    with pytest.raises(ProxytuneError, match="fewer chunk objects") as caught:
        draw(folders, chunks="6")
    assert caught.value.name == "HyperparameterInvalid"


def test_what_does_not_fit_is_refused_by_name(job, tmp_path):
    folder, _ = job
    (tmp_path / "pictures").mkdir()
    folders = instance(folder, tmp_path / "one", tmp_path / "pictures")
    with pytest.raises(ProxytuneError) as caught:
        draw(folders, model="sdxl")
    assert caught.value.name == "ModelMismatch"
    (folders.base / "input" / "data" / "adapter" / "model.tar.gz").write_bytes(b"no archive")
    with pytest.raises(ProxytuneError, match="cannot be unpacked"):
        draw(folders)
    shutil.rmtree(folders.base / "input" / "data" / "chunks")
    with pytest.raises(ProxytuneError) as caught:
        draw(folders)
    assert caught.value.name == "ChannelMissing"
