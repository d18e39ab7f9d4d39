"""A run's exported adapter in software that is not ours."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dev.drawn_subjects.export import export_subject
from dev.drawn_subjects.subjects import subject_named
from dev.pipeline import Pipeline
from proxytune.images.chunk import Chunk, PictureRequest
from proxytune.teacher.families import registry as teachers

MODELS = Path(__file__).parents[3] / "models" / "miniature"
TEACHER = MODELS / "sdxl-miniature"
PROMPTS = ("a photo of a {token} car", "a {token} car at night")
SAMPLER = {"kind": "diffusion", "steps": 10, "guidance": 3}


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """The folder that the teach job of the demo's subject exports, after fewer steps, and its token word."""
    folder = tmp_path_factory.mktemp("demo")
    settings = {"preset": "draft", "advanced": {"teach": {"steps": 40}}}
    export_subject(subject_named("demo-car"), folder / "subject", settings)
    pipeline = Pipeline(MODELS, folder / "work", folder / "subject")
    return pipeline.run_stage("teach"), pipeline.token


@pytest.mark.slow
def test_stock_diffusers_generates_the_images_of_the_demos_teacher(taught):
    from diffusers import StableDiffusionXLPipeline

    adapter, token = taught
    prompts = [prompt.format(token=token) for prompt in PROMPTS]
    stock = StableDiffusionXLPipeline.from_pretrained(TEACHER, local_files_only=True)
    untuned = stock_images(stock, prompts)
    stock.load_lora_weights(adapter)
    tuned = stock_images(stock, prompts)
    # An adapter that loads without effect would pass the comparison.
    assert np.abs(tuned - untuned).max() > 20

    generator = teachers.image_generator("sdxl")
    for folder, theirs, variant in ((adapter, tuned, "tuned"), (None, untuned, "base")):
        generator.load(TEACHER, folder, torch.device("cpu"))
        requests = tuple(
            PictureRequest(index=seed, prompt=prompt, seed=seed) for seed, prompt in enumerate(prompts)
        )
        images = generator.generate(Chunk("sample", 0, variant, 32, 2, SAMPLER, requests))
        # The adapter is in the weights here and next to them there: sums of another order.
        assert np.abs(np.stack(images).astype(int) - theirs).max() <= 1


def stock_images(stock, prompts):
    """(n, 32, 32, 3) levels, generated as a stranger would: sizes and scheduler come from the folder."""
    stock.set_progress_bar_config(disable=True)
    images = stock(
        prompts,
        num_inference_steps=SAMPLER["steps"],
        guidance_scale=SAMPLER["guidance"],
        generator=[torch.Generator().manual_seed(seed) for seed in range(len(prompts))],
    ).images
    return np.stack(images).astype(int)
