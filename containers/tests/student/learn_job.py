"""The inputs of a learn job: proxies in shards, hyperparameters, folders."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from proxytune.contract.folders import Folders
from proxytune.images import shard
from proxytune.images.dataset import read_all
from proxytune.images.png import encode_png

CAPTION = "a photo of ohwx dog"
HYPERPARAMETERS = {
    "stage": "learn",
    "family": "llamagen",
    "model": "llamagen-tiny",
    "seed": 7,
    "rank": 4,
    "alpha": 8,
    "learning_rate": 2e-3,
    "steps": 12,
    "batch_size": 2,
    "size": 64,
    "checkpoint_every": 4,
    "caption": CAPTION,
    "token_word": "ohwx",
    "caption_dropout": 0.1,
    "proxies": 64,
}


def draw_proxy(index: int, size: int = 64) -> Image.Image:
    """An image with soft shapes of its own."""
    coarse = np.random.default_rng(index).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


def write_shard(file: Path, indexes, size: int = 64, **changes) -> None:
    """A shard with the proxies of these indexes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    facts = {"prompt": CAPTION, "variant": "tuned", "stage": "synthesize", "size": size, "model": "sdxl-tiny"}
    pictures = (
        (encode_png(draw_proxy(index, size)), {"index": index, "seed": index, **facts, **changes})
        for index in indexes
    )
    file.write_bytes(shard.write(pictures))


def write_curation(folders: Folders, keep: set[int]) -> dict:
    """The channel `curation` of a job: a verdict on each of its proxies; those of `keep` are kept."""
    fixture = Path(__file__).parents[1] / "curation" / "fixtures" / "curation.json"
    found = json.loads(fixture.read_text())
    like = found["pictures"][0]
    proxies = read_all(folders.channel("proxies"))
    found["pictures"] = [
        {**like, "index": one.record.index, "sha256": one.record.sha256, "kept": one.record.index in keep}
        for one in proxies
    ]
    found |= {"drawn": len(proxies), "kept": len(keep)}
    channel = folders.base / "input" / "data" / "curation"
    channel.mkdir()
    (channel / "curation.json").write_text(json.dumps(found))
    return found


def make_job(base: Path, student: Path, hyperparameters: dict) -> Folders:
    """The folders of a job, with 64 proxies of two attempts, of which the second drew some again."""
    folders = Folders(base)
    data = base / "input" / "data"
    data.mkdir(parents=True)
    (data / "base").symlink_to(student, target_is_directory=True)
    write_shard(data / "proxies" / "attempt-1" / "000.json.out", range(24))
    write_shard(data / "proxies" / "attempt-1" / "001.json.out", range(24, 40))
    write_shard(data / "proxies" / "attempt-2" / "001.json.out", range(30, 64))
    folders.hyperparameters.parent.mkdir(parents=True)
    strings = {key: v if isinstance(v, str) else json.dumps(v) for key, v in hyperparameters.items()}
    folders.hyperparameters.write_text(json.dumps(strings))
    folders.model.mkdir()
    return folders


def start(folders: Folders, **variables: str) -> subprocess.Popen:
    """The container's entry as SageMaker starts it."""
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(folders.base), "OMP_NUM_THREADS": "1", **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "proxytune", "train"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def terminate_while_training(process: subprocess.Popen, folders: Folders) -> None:
    """Send SIGTERM as soon as the job says that it has done some steps."""
    file, deadline = folders.checkpoints / "progress.json", time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists():
            progress = json.loads(file.read_text())
            if progress["phase"] == "training" and progress["step"] > 0:
                process.send_signal(signal.SIGTERM)
                return
        time.sleep(0.005)
    raise AssertionError(f"the job never trained: {process.communicate()[0]}")
