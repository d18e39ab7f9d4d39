"""Measure the untuned teacher with references as its condition: `python containers/dev/bench/references.py`.

Nothing is trained: stock diffusers generates with the miniature's IP-Adapter. Prints the exact metrics with
and without the references of each subject.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from PIL import Image

from dev.bench.miniature import COLUMNS, MODELS, grid, line
from dev.drawn_subjects.captions import caption
from dev.drawn_subjects.export import export_subject, ground_truth_of
from dev.drawn_subjects.subjects import Subject, subject_named
from dev.pretraining.references import WEIGHTS
from proxytune.drawn_world.ground_truth.scorer import GroundTruthScorer
from proxytune.drawn_world.scene import CONTEXTS

# A third category and pattern each, as in the test of held-back subjects.
SUBJECTS = ("held-back-fish", "held-back-house", "held-back-robot")
# The sampler of the card's figures.
STEPS, GUIDANCE = 20, 3.0


def main(arguments: list[str]) -> int:
    """Generate for every subject and print its rows; the return value is the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subjects", nargs="+", default=SUBJECTS)
    parser.add_argument("--images", type=int, default=4, help="of each context")
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--pictures", type=Path, help="folder for a sheet of each subject's images")
    given = parser.parse_args(arguments)
    pipeline = reference_pipeline(given.models)
    print(" " * 32 + "".join(f"{name:>{form.split('.')[0]}}" for name, form in COLUMNS.items()))
    for name in given.subjects:
        began, subject = time.monotonic(), subject_named(name)
        for row, scale in (("with references", 1.0), ("without", 0.0)):
            images = generate(pipeline, subject, given.images, scale)
            print(line(f"{name} {row}", [exact_means(subject, images)]), flush=True)
            if given.pictures:
                given.pictures.mkdir(parents=True, exist_ok=True)
                grid(list(zip(*images.values(), strict=True))).save(
                    given.pictures / f"{name}-{row.replace(' ', '-')}.png"
                )
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return 0


def reference_pipeline(models: Path) -> Any:
    """Load diffusers' SDXL pipeline with the miniature's teacher and IP-Adapter, in float32.

    Args:
        models: contains `sdxl-miniature` and `ip-adapter-miniature`.
    """
    from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
        StableDiffusionXLPipeline,
    )

    pipeline: Any = StableDiffusionXLPipeline.from_pretrained(
        models / "sdxl-miniature", torch_dtype=torch.float32, local_files_only=True, add_watermarker=False
    )
    pipeline.load_ip_adapter(
        str(models / "ip-adapter-miniature"), subfolder="", weight_name=WEIGHTS, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generate(pipeline: Any, subject: Subject, count: int, scale: float) -> dict[str, list[Image.Image]]:
    """Generate `count` images in each context; the user's photos of the subject are the references.

    Args:
        scale: weight of the references; 0 leaves them out.
    """
    pipeline.set_ip_adapter_scale(scale)
    with tempfile.TemporaryDirectory() as folder:
        export_subject(subject, Path(folder))
        photos = [Image.open(file).convert("RGB") for file in sorted(Path(folder, "photos").iterdir())]
    images = {}
    for number, context in enumerate(CONTEXTS):
        seeds = range(number * count, (number + 1) * count)
        images[context] = pipeline(
            [caption(subject.category, context)] * count,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            ip_adapter_image=[photos],
        ).images
    return images


def exact_means(subject: Subject, images: dict[str, list[Image.Image]]) -> dict[str, float]:
    """Mean of each exact metric; the prompts are those of `generate`."""
    score = GroundTruthScorer(subject.category, ground_truth_of(subject.appearance))
    pairs = [(image, caption(subject.category, context)) for context, row in images.items() for image in row]
    found: Sequence[Any] = score(*map(list, zip(*pairs, strict=True)))
    return {name: sum(getattr(one, name) for one in found) / len(found) for name in COLUMNS}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
