"""Checkpoint selection: the checkpoint most like the photos that still follows prompts and varies.

A teacher that trains too long reproduces the photos themselves: it scores best by similarity alone, no longer
follows a prompt, and gives the student the same image a thousand times. So a checkpoint counts only while it
keeps a share of the untuned model's prompt adherence and of the photos' own diversity.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image

from proxytune.contract import schema
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, FILES
from proxytune.contract.progress import replace_file
from proxytune.contract.types.choice import Choice, ChoicePoint
from proxytune.contract.types.hyperparameters import TeachHyperparameters
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder, Vectors
from proxytune.metrics.pictures import references
from proxytune.metrics.prompts import without
from proxytune.metrics.scores import among_themselves, to_prompts, to_references
from proxytune.teacher.config import ValidationImage
from proxytune.teacher.selection_rule import CheckpointScores, Guards, select
from proxytune.teacher.validation import ValidationImages


def select_checkpoint(
    validation: ValidationImages,
    hyperparameters: TeachHyperparameters,
    folders: Folders,
    device: torch.device,
) -> int:
    """Score the stored checkpoints, select one, and write choice.json next to the validation images.

    Args:
        hyperparameters: those of stage teach, with `samples`.
        folders: channels references, clip, dino.

    Returns:
        The step of the selected checkpoint.

    Raises:
        ProxytuneError: ChannelMissing, ModelMismatch.
    """
    earlier = _selected_earlier(validation)
    if earlier is not None:
        return earlier
    settings = hyperparameters["validation_images"]
    clip = ClipEncoder(folders.channel(CHANNELS.clip), device)
    dino = DinoEncoder(folders.channel(CHANNELS.dino), device)
    files = references(folders.channel(CHANNELS.references))
    photos = dino.pictures([_opened(io.BytesIO(photo.read())) for photo in files])
    token_word = hyperparameters["token_word"]
    plain = {image.prompt: without(token_word, image.prompt) for image in validation.images}
    texts = dict(zip(plain, clip.texts(list(plain.values())), strict=True))
    scores = [_score(validation, step, photos, texts, clip, dino) for step in validation.steps()]
    # Without the untuned model's images (one was restored incomplete) there is no guard on prompts.
    untuned = next((each.prompt for each in scores if each.step == 0), None)
    guards = Guards(
        _share(settings["keep_prompt"], untuned), _share(settings["keep_diversity"], diversity_of(photos))
    )
    selected, reason = select(scores, guards)
    record: Choice = {
        "version": 1,
        "chosen": selected.step,
        "reason": reason,
        "guards": {"prompt": guards.prompt, "diversity": guards.diversity},
        "points": [_record(validation, each, guards) for each in scores],
    }
    wrong = schema.check("choice", record)
    if wrong is not None:
        raise ValueError(f"{FILES.choice} does not fit its schema: {wrong}")
    replace_file(validation.folder / FILES.choice, (json.dumps(record, indent=1) + "\n").encode("utf-8"))
    print(f"selected adapter: {reason}", flush=True)
    return selected.step


def _selected_earlier(validation: ValidationImages) -> int | None:
    """Return the step that an interrupted attempt selected; it may have removed all other adapters."""
    try:
        record = json.loads((validation.folder / FILES.choice).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    step = int(record["chosen"]) if schema.check("choice", record) is None else None
    return step if step in validation.steps() else None


def diversity_of(vectors: Vectors) -> float | None:
    """Return 1 less the mean similarity of images (N, D) to each other; None for fewer than two."""
    if len(vectors) < 2:
        return None
    return round(1 - sum(among_themselves(vectors)) / len(vectors), 6)


def _score(
    validation: ValidationImages,
    step: int,
    photos: Vectors,
    texts: Mapping[str, Vectors],
    clip: ClipEncoder,
    dino: DinoEncoder,
) -> CheckpointScores:
    images = [_opened(validation.file(step, image)) for image in validation.images]
    vectors = dino.pictures(images)
    alone = [image.number for image in validation.images if not image.in_context]
    in_context = [image for image in validation.images if image.in_context]
    each = to_references(vectors, photos)
    return CheckpointScores(
        step,
        _mean(each),
        _prompt_adherence([images[image.number] for image in in_context], in_context, texts, clip),
        diversity_of(vectors[alone]),
        tuple(each),
    )


def _prompt_adherence(
    images: list[Image.Image],
    requests: list[ValidationImage],
    texts: Mapping[str, Vectors],
    clip: ClipEncoder,
) -> float | None:
    if not requests:
        return None
    pairs = zip(clip.pictures(images), requests, strict=True)
    return _mean([to_prompts(vector[None], texts[request.prompt][None])[0] for vector, request in pairs])


def _record(validation: ValidationImages, scores: CheckpointScores, guards: Guards) -> ChoicePoint:
    return {
        "step": scores.step,
        "fidelity": scores.fidelity,
        "prompt": scores.prompt,
        "diversity": scores.diversity,
        "guarded": guards.passes(scores),
        "pictures": [
            {
                "prompt": image.prompt,
                "seed": image.seed,
                "fidelity": scores.each[image.number],
                "file": validation.file(scores.step, image).relative_to(validation.folder).as_posix(),
            }
            for image in validation.images
        ],
    }


def _share(share: float, value: float | None) -> float | None:
    # A share of zero or less would demand more than there was (encoders with random weights).
    return None if value is None or value <= 0 else round(share * value, 6)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 6)


def _opened(file: Path | io.BytesIO) -> Image.Image:
    with Image.open(file) as opened:
        return opened.convert("RGB")
