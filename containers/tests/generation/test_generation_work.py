"""The number of images that a GPU generates, which the plan charges for (test/core/plan-work.test.ts)."""

import json

import pytest
from job_work import cases

from proxytune.contract.folders import Folders
from proxytune.generation import job
from proxytune.images.chunk import Chunk, PictureRequest
from proxytune.training.launch import processes_for


@pytest.mark.parametrize("case", cases("draw"))
def test_the_busiest_gpu_generates_as_many_images_as_its_case_says(case, tmp_path, monkeypatch):
    size = case["picturesPerChunk"]
    chunks = [
        (f"chunk-{at:04d}.json", Chunk("synthesize", at, "tuned", 64, 4, {}, requests(start, case)))
        for at, start in enumerate(range(0, case["pictures"], size))
    ]
    hosts = [f"algo-{each + 1}" for each in range(case["instances"])]
    monkeypatch.setenv("PROXYTUNE_PROCESSES", str(case["gpus"]))
    monkeypatch.delenv("RANK", raising=False)
    processes = processes_for({"stage": "synthesize", "chunks": len(chunks)})
    shares = []
    for host in hosts:
        config = tmp_path / host / "input" / "config"
        config.mkdir(parents=True)
        (config / "resourceconfig.json").write_text(json.dumps({"current_host": host, "hosts": hosts}))
        for rank in range(processes):
            monkeypatch.setenv("RANK", str(rank))
            monkeypatch.setenv("WORLD_SIZE", str(processes))
            share = job._share(chunks, Folders(tmp_path / host), "a1")
            shares.append(sum(len(chunk.pictures) for _, chunk in share))
    assert sum(shares) == case["pictures"]
    assert max(shares) == case["busiest"]


def requests(start, case):
    end = min(start + case["picturesPerChunk"], case["pictures"])
    return tuple(PictureRequest(index, "a ohwx dog", index) for index in range(start, end))
