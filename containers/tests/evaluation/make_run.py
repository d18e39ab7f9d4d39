"""The folders of an evaluate job with real pictures in them, and the job itself.

As a command, for the test that opens the report in a browser:

    python make_run.py PLAN.json BASE [PHOTOS]

makes the job's folders under BASE for that plan, curates where it asks for that, evaluates, and leaves the
report in BASE/model. Samples and proxies are drawn here, not by models: the tuned ones resemble the
references, the untuned ones do not.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from drawings import draw, png
from PIL import Image
from tiny_encoders import make_clip, make_dino

from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.curation.curate import curate
from proxytune.evaluation.evaluate import evaluate
from proxytune.images import shard
from proxytune.teacher.checkpoint_selection import select_checkpoint
from proxytune.teacher.config import validation_images
from proxytune.teacher.validation import ValidationImages

PLAN = Path(__file__).parent / "fixtures" / "plan.json"
PICTURES_PER_SHARD = 16
SUBJECT = 1
# How much of the subject the teacher's samples show at its checkpoints; the last shows nothing else.
TAUGHT = (0.0, 0.4, 0.75, 1.0)


Draw = Callable[[str, str, str, int, int], Image.Image]
"""From stage, variant, prompt, seed and side to a picture."""


def mixed(stage: str, variant: str, prompt: str, seed: int, side: int) -> Image.Image:
    """How much of the subject is seen: little in the student's, none in an untuned model's."""
    share = 0.0 if variant == "base" else 0.55 if stage == "sample-student" else 0.75
    other = draw(seed + (5000 if stage == "sample-student" else 0), (side, side))
    return Image.blend(other, draw(SUBJECT, (side, side)), share)


def with_samples(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan, changed into that of a run whose teacher draws at its checkpoints."""
    jobs = {stage["stage"]: stage for stage in plan["stages"]}
    jobs["teach"]["hyperparameters"] |= {
        "samples": {
            "subject": "ohwx dog",
            "pictures": 2,
            "steps": 4,
            "guidance": 3,
            "keep_prompt": 0.5,
            "keep_diversity": 0.2,
        },
        "sample_prompts": ["a {s}", "a {s} on a park bench"],
    }
    jobs["evaluate"]["channels"]["validation"] = "runs/rex-0a1b2c3d/checkpoints/teach/validation/"
    return plan


def make_run(
    base: Path,
    plan: Mapping[str, Any],
    models: Path | None = None,
    photos: Sequence[Image.Image] = (),
    drawn: Draw = mixed,
) -> Folders:
    """Fill the channels of an evaluate job under `base`."""
    folders = Folders(base)
    data = base / "input" / "data"
    for name in ("plan", "references"):
        (data / name).mkdir(parents=True)
    (data / "plan" / "plan.json").write_text(json.dumps(plan))
    for number, photo in enumerate(photos or _photos()):
        photo.save(data / "references" / f"{number:02d}.png")
    if models is None:
        make_clip(data / "clip")
        make_dino(data / "dino")
    else:
        shutil.copytree(models, data, dirs_exist_ok=True)
    proxies = [
        _picture(plan, drawn, "synthesize", "tuned", index, plan["prompts"]["proxy"], plan["seed"] + index)
        for index in range(plan["proxies"])
    ]
    _write(data / "proxies" / "a1", proxies)
    _teach(folders, plan)
    for role in ("teacher", "student"):
        _write(data / f"samples-{role}" / "a1", _samples(plan, drawn, role))
    return folders


def _teach(folders: Folders, plan: Mapping[str, Any]) -> None:
    """Write the checkpoints of stage teach: more and more of the subject, at the end nothing else."""
    jobs = {stage["stage"]: stage for stage in plan["stages"]}
    if "validation" not in jobs["evaluate"]["channels"]:
        return
    how = jobs["teach"]["hyperparameters"]
    folder = folders.base / "input" / "data" / "validation"
    validation = ValidationImages(folder, "settings", validation_images(how))
    for number, share in enumerate(TAUGHT):
        step = number * how["checkpoint_every"]
        for image in validation.images:
            other = draw(image.seed, (how["size"], how["size"]))
            subject = draw(SUBJECT, (how["size"], how["size"]))
            validation.store(step, image, Image.blend(other, subject, share))
        if step > 0:
            validation.store_adapter(step, {"weight": torch.zeros(1)})
    select_checkpoint(validation, how, folders, torch.device("cpu"))


def _samples(plan: Mapping[str, Any], drawn: Draw, role: str) -> list[tuple[bytes, dict[str, Any]]]:
    copies, total = plan["samples"]["picturesPerPrompt"], plan["samples"]["pictures"]
    return [
        _picture(
            plan,
            drawn,
            f"sample-{role}",
            variant,
            lane * total + at * copies + copy,
            entry["prompt"],
            plan["seed"] + 1_000_000 + at * copies + copy,
        )
        for lane, variant in enumerate(("tuned", "base"))
        for at, entry in enumerate(plan["prompts"]["evaluation"])
        for copy in range(copies)
    ]


def _picture(
    plan: Mapping[str, Any], drawn: Draw, stage: str, variant: str, index: int, prompt: str, seed: int
) -> tuple[bytes, dict[str, Any]]:
    planned = next(entry for entry in plan["stages"] if entry["stage"] == stage)
    side = planned["size"]
    model = plan["models"]["student" if stage == "sample-student" else "teacher"]["id"]
    facts = {"index": index, "prompt": prompt, "seed": seed, "variant": variant, "stage": stage}
    return png(drawn(stage, variant, prompt, seed, side)), {**facts, "size": side, "model": model}


def _photos() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    sizes = [(400, 300), (300, 400), (320, 320), (480, 320)]
    return [Image.blend(draw(SUBJECT, size), draw(int(rng.integers(900, 999)), size), 0.2) for size in sizes]


def _write(folder: Path, pictures: list[tuple[bytes, dict[str, Any]]]) -> None:
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, len(pictures), PICTURES_PER_SHARD)):
        content = shard.write(pictures[start : start + PICTURES_PER_SHARD])
        (folder / f"chunk-{number:04d}.json.out").write_bytes(content)


def judge_proxies(folders: Folders, number: int) -> dict[str, Any]:
    """Have the stage curate judge the proxies after a round, and make what it says a channel."""
    curate(folders, {"stage": "curate", "round": number}, StopRequest())
    channel = folders.base / "input" / "data" / "curation"
    channel.mkdir()
    shutil.move(folders.model / "curation.json", channel / "curation.json")
    found: dict[str, Any] = json.loads((channel / "curation.json").read_text())
    return found


def _jpegs(folder: str) -> list[Path]:
    return sorted(Path(folder).glob("*.jpg"))


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text())
    run = make_run(
        Path(sys.argv[2]),
        asked,
        photos=[Image.open(file).convert("RGB") for folder in sys.argv[3:] for file in _jpegs(folder)],
    )
    if asked.get("curation") is not None:
        judge_proxies(run, len(asked["curation"]["rounds"]))
    evaluate(run, {"stage": "evaluate", "seed": 7}, StopRequest())
