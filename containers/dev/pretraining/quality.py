"""Quality of the models in their folders: recomputed from the files, as the product reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from dev.drawn_subjects.captions import caption
from dev.pretraining.corpus import Corpus, draw_held_out
from dev.pretraining.encoders import DinoTrainable
from dev.pretraining.quality_encoders import measure_encoders
from dev.pretraining.references import ReferenceAdapter
from dev.pretraining.settings import Settings
from dev.pretraining.student import StudentTrainable
from dev.pretraining.teacher import TeacherTrainable
from dev.pretraining.texts import all_captions
from dev.pretraining.vae import VAETrainable
from dev.pretraining.vq import VQTrainable
from proxytune.drawn_world.appearance import CATEGORIES
from proxytune.drawn_world.ground_truth.finding import find
from proxytune.drawn_world.render import SIZE
from proxytune.drawn_world.scene import CONTEXTS
from proxytune.generation.generator import ImageGenerator
from proxytune.images.chunk import Chunk, PictureRequest
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder
from proxytune.student.families import registry as students
from proxytune.student.families.llamagen import load_student
from proxytune.teacher.families import registry as teachers
from proxytune.teacher.latents import normalise_latents
from proxytune.teacher.loading import load_part

CPU = torch.device("cpu")
# The samplers of the trial, with the cleanest pictures.
TEACHER_SAMPLER = {"kind": "diffusion", "steps": 20, "guidance": 3}
STUDENT_SAMPLER = {"kind": "autoregressive", "guidance": 1.75, "temperature": 1, "top_k": 0, "top_p": 0.8}
# Ground-truth pictures that CLIP classifies.
CLASSIFIED = 360


def measure(models: Path, settings: Settings, samples: int = 6) -> dict[str, float]:
    """All figures of the card, on held-out pictures.

    Args:
        models: the folders as `Pretraining.write_models` writes them.
        settings: of the corpus; only its held-out pictures are rendered.
        samples: pictures of each category in each context that are generated and classified.
    """
    corpus = draw_held_out(settings)
    return {
        **_generators(models, corpus, settings.seed),
        **_encoders(models, corpus),
        **measure_encoders(models, corpus),
        **_samples(models, corpus, samples),
    }


@torch.no_grad()
def _generators(models: Path, corpus: Corpus, seed: int) -> dict[str, float]:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    base = models / "sdxl-miniature"
    vae = load_part(AutoencoderKL, base, "vae", torch.float32)
    classes = {
        "unet": UNet2DConditionModel,
        "text_encoder": CLIPTextModel,
        "text_encoder_2": CLIPTextModelWithProjection,
    }
    teacher = nn.ModuleDict(
        {name: load_part(kind, base, name, torch.float32) for name, kind in classes.items()}
    )
    teacher["references"] = ReferenceAdapter(teacher["unet"]).read(models / "ip-adapter-miniature")
    student = load_student(models / "llamagen-miniature")
    assert student.captions is not None
    parts = nn.ModuleDict({"gpt": student.gpt, "text": student.captions.text_encoder})
    captions = all_captions(seed)
    return {
        "vae_psnr": VAETrainable(corpus, 1).evaluate(vae)["psnr"],
        **TeacherTrainable(corpus, _latents(vae, corpus), captions, 1).evaluate(teacher),
        "vq_psnr": VQTrainable(corpus, 1, 1).evaluate(student.vq)["psnr"],
        "cross_entropy": StudentTrainable(
            corpus, student.vq.encode(corpus.pictures(corpus.held_out)), captions, 1
        ).evaluate(parts)["cross_entropy"],
    }


def _latents(vae: Any, corpus: Corpus) -> Tensor:
    """(N, 1, C, h, w): the means alone, which is all that an evaluation uses."""
    parts = [
        normalise_latents(vae.encode(corpus.pictures(numbers)).latent_dist.mean, vae.config)
        for numbers in corpus.held_out.split(200)
    ]
    return torch.cat(parts)[:, None]


@torch.no_grad()
def _encoders(models: Path, corpus: Corpus) -> dict[str, float]:
    vit: Any = DinoEncoder(models / "dino-miniature", CPU).model
    # Only the order of the similarities counts.
    vit.sharpness = torch.zeros(())
    return {"retrieval": DinoTrainable(corpus, 2).evaluate(vit)["retrieval"]}


def _samples(models: Path, corpus: Corpus, count: int) -> dict[str, float]:
    numbers = corpus.held_out[:CLASSIFIED]
    pictures = [Image.fromarray(corpus.pixels[number]) for number in numbers.tolist()]
    requested = [
        (CATEGORIES[corpus.category[number]], CONTEXTS[corpus.context[number]]) for number in numbers.tolist()
    ]
    figures = _shares("clip", _read_by_clip(ClipEncoder(models / "clip-miniature", CPU), pictures), requested)
    wanted = [(category, context) for category in CATEGORIES for context in CONTEXTS for _ in range(count)]
    generators: tuple[tuple[str, ImageGenerator, str, dict[str, Any]], ...] = (
        ("teacher", teachers.image_generator("sdxl"), "sdxl-miniature", TEACHER_SAMPLER),
        ("student", students.image_generator("llamagen"), "llamagen-miniature", STUDENT_SAMPLER),
    )
    for name, generator, folder, sampler in generators:
        generator.load(models / folder, None, CPU)
        requests = tuple(
            PictureRequest(index=number, prompt=caption(*pair), seed=number)
            for number, pair in enumerate(wanted)
        )
        pictures = generator.generate(Chunk("synthesize", 0, "base", SIZE, 24, sampler, requests))
        # The renderings that come nearest: the small CLIP is not more reliable than the generators.
        nearest = [(one.place.form.category, one.scene.context) for one in find(pictures)]
        figures |= _shares(name, nearest, wanted)
    return figures


def _read_by_clip(clip: ClipEncoder, pictures: list[Image.Image]) -> list[tuple[str, str]]:
    """The category and the context of the nearest caption; every category with every context competes."""
    pairs = [(category, context) for category in CATEGORIES for context in CONTEXTS]
    likeness = clip.pictures(pictures) @ clip.texts([caption(*pair) for pair in pairs]).T
    return [pairs[number] for number in likeness.argmax(axis=1)]


def _shares(
    name: str, found: Sequence[tuple[str, str]], requested: list[tuple[str, str]]
) -> dict[str, float]:
    """Shares of pictures that show the requested category, and the requested context."""
    return {
        f"{name}_{what}": sum(one[place] == other[place] for one, other in zip(found, requested, strict=True))
        / len(requested)
        for place, what in enumerate(("category", "context"))
    }
