"""Prior preservation: pictures of the class that the base model drew, so that the teacher does not forget it.

They are drawn once for a model, prompt and sampler, each from its own seed, and kept beside the checkpoints:
an attempt that was cut off goes on with the next picture.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import torch

from proxytune.contract.progress import replace_file
from proxytune.proxies.chunk import Chunk, PictureRequest
from proxytune.teacher import families

FOLDER = "prior"


def class_pictures(base: Path, hyperparameters: dict[str, Any], kept: Path, device: torch.device) -> Path:
    """The folder of the class's pictures; those that are missing are drawn now.

    Args:
        hyperparameters: those of stage teach, with `prior`.
        kept: folder that outlives this attempt.

    Raises:
        ProxytuneError: ModelMissing, ModelMismatch; HyperparameterInvalid for a size that cannot be drawn.
    """
    prior, size = hyperparameters["prior"], hyperparameters["size"]
    sampler = {"kind": "diffusion", "steps": prior["steps"], "guidance": prior["guidance"]}
    folder = kept / FOLDER / _name(hyperparameters["model"], prior["prompt"], size, sampler)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(prior["pictures"]) if not _file(folder, number).exists()]
    if missing:
        maker = families.picture_maker(hyperparameters["family"])
        maker.load(base, None, device)
    for number in missing:
        # The number is the seed. One at a time: in another batch it could differ by a grey level, and with it
        # a training that was cut off from one that was not.
        request = PictureRequest(number, prior["prompt"], number)
        (picture,) = maker.draw(Chunk("synthesize", 0, "base", size, 1, sampler, (request,)))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        replace_file(_file(folder, number), buffer.getvalue())
        print(f"class pictures: {number + 1} of {prior['pictures']}", flush=True)
    return folder


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:04d}.png"


def _name(*decisive: object) -> str:
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode("utf-8")).hexdigest()[:16]
