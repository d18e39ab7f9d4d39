"""Images of the drawn world by name, and the folders of a curate job over them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from dev.drawn_subjects.subjects import subject_named
from proxytune.contract.folders import Folders
from proxytune.drawn_world.scene import CONTEXTS
from proxytune.images import shard
from proxytune.images.png import encode_png

MODELS = Path(__file__).parents[2] / "models" / "miniature"
PLAN = Path(__file__).parents[1] / "evaluation" / "fixtures" / "plan.json"
THRESHOLDS = Path(__file__).parents[3] / "lib" / "core" / "catalogue" / "data" / "curation.json"
DEFAULTS = json.loads(THRESHOLDS.read_text())["clip-miniature"]
SUBJECT = "demo-car"
PER_SHARD = 2


def references(name: str = SUBJECT) -> list[Image.Image]:
    """The photos of a subject."""
    return [Image.fromarray(picture.pixels) for picture in subject_named(name).references()]


def true_pictures(context: str, count: int = 1, name: str = SUBJECT) -> list[Image.Image]:
    """Images as a perfect teacher would generate them."""
    return [Image.fromarray(picture.pixels) for picture in subject_named(name).unseen(context, count)]


def in_all_contexts(name: str, count: int = 1) -> list[Image.Image]:
    """Images of a subject, `count` in each context."""
    return [picture for context in CONTEXTS for picture in true_pictures(context, count, name)]


def curation_settings(**changes: Any) -> dict[str, Any]:
    """`curation` of a plan with the defaults of the miniature models."""
    criteria = {name: DEFAULTS[name]["value"] for name in ("fidelity", "prompt", "duplicates", "likeness")}
    return {**criteria, "safety": None, "minimum": 2, "adaptive": None, "rounds": [8], **changes}


def plan_of(proxies: Sequence[tuple[Image.Image, str]], **changes: Any) -> dict[str, Any]:
    """A plan for these proxies of a car; its prompts are the plain one and those in a context."""
    plan: dict[str, Any] = json.loads(PLAN.read_text())
    plan |= {"category": "car", "tokenWord": "ohwx", "proxies": len(proxies)}
    plan["prompts"]["proxy"] = "a ohwx car"
    plan["prompts"]["inContext"] = [
        {"prompt": f"a ohwx car {context}", "plain": f"a car {context}"} for context in CONTEXTS
    ]
    plan["curation"] = curation_settings(**{"rounds": [len(proxies)], **changes})
    return plan


def make_job(base: Path, plan: dict[str, Any], proxies: Sequence[tuple[Image.Image, str]]) -> Folders:
    """The folders of a curate job: proxies are (image, prompt), in shards of two."""
    folders, data = Folders(base), base / "input" / "data"
    for name in ("plan", "references", "proxies"):
        (data / name).mkdir(parents=True)
    for name in ("clip", "dino"):
        (data / name).symlink_to(MODELS / f"{name}-miniature")
    (data / "plan" / "plan.json").write_text(json.dumps(plan))
    for number, photo in enumerate(references()):
        photo.save(data / "references" / f"{number}.png")
    add_proxies(folders, proxies, 0)
    return folders


def add_proxies(folders: Folders, proxies: Sequence[tuple[Image.Image, str]], first: int) -> None:
    """Add shards of further proxies, the first of them with index `first`."""
    facts = {"variant": "tuned", "stage": "synthesize", "size": 32, "model": "sdxl-miniature"}
    for start in range(0, len(proxies), PER_SHARD):
        pictures = [
            (encode_png(image), {"index": index, "seed": index, "prompt": prompt, **facts})
            for index, (image, prompt) in enumerate(proxies[start : start + PER_SHARD], first + start)
        ]
        file = folders.base / "input/data/proxies" / f"chunk-{first + start:04d}.json.out"
        file.write_bytes(shard.write(pictures))
