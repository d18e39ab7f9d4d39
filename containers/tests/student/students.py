"""Inputs of the tests of all student families: the catalogue's tiny students, proxies, chunks."""

import json
from pathlib import Path

import numpy as np
import torch
from learn_job import CAPTION, write_shard

from proxytune.images import chunk as chunks
from proxytune.images.chunk import Chunk
from proxytune.images.dataset import read_proxies
from proxytune.student.config import TrainConfig
from proxytune.student.families import registry
from proxytune.student.lora_trainer import StudentTrainer
from proxytune.student.proxy_set import ProxySet
from proxytune.training.states import seed_everything

CATALOGUE = Path(__file__).parents[3] / "containers" / "dev" / "models.json"
# Family -> catalogue id of its tiny stand-in. A family joins by its row.
TINY = {
    row["family"]: name
    for name, row in json.loads(CATALOGUE.read_text("utf-8")).items()
    if row["role"] == "student" and row["standInFor"] is not None
}
CPU = torch.device("cpu")
PROMPTS = [CAPTION, "ohwx dog in the snow", "a photo of ohwx cat"]
SAMPLER = {"kind": "autoregressive", "guidance": 2.0, "temperature": 1.0, "top_k": 100, "top_p": 1.0}


def chunk(count: int = 4, first: int = 0, **changes) -> Chunk:
    """A request for images of three prompts of different lengths, each with its own seed."""
    pictures = [
        {"index": index, "prompt": PROMPTS[index % 3], "seed": 100 + index}
        for index in range(first, first + count)
    ]
    given = {"version": 1, "stage": "sample-student", "chunk": 0, "variant": "tuned", "size": 64}
    given |= {"batch_size": 4, "sampler": SAMPLER, "pictures": pictures}
    return chunks.parse(json.dumps({**given, **changes}).encode())


def pixels(images) -> list[bytes]:
    return [np.asarray(image).tobytes() for image in images]


def proxy_set(folder: Path, prompts=(CAPTION,)) -> ProxySet:
    """A proxy for each of these prompts."""
    for index, prompt in enumerate(prompts):
        write_shard(folder / f"{index}.json.out", [index], prompt=prompt)
    return ProxySet(read_proxies(folder, len(prompts)), 64)


def prepared(family: str, base: Path, proxies: ProxySet, **changes) -> StudentTrainer:
    """A trainer with a new adapter."""
    usual = {"caption": CAPTION, "token_word": "ohwx", "caption_dropout": 0.0, "rank": 4, "alpha": 4}
    seed_everything(1)
    config = TrainConfig(**{**usual, "batch_size": 1, "seed": 1, **changes})
    return StudentTrainer(registry.student_family(family), config).prepare(base, proxies, CPU)
