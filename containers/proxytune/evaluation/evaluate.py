"""The evaluate job: from the images of the run to report and metrics in the model folder."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS
from proxytune.contract.plan_file import read_plan
from proxytune.contract.progress import ProgressFile
from proxytune.contract.reference_files import captions_of
from proxytune.contract.signals import StopRequest
from proxytune.contract.types.hyperparameters import EvaluateHyperparameters
from proxytune.contract.types.plan import Plan
from proxytune.evaluation.collect import collect, curated_proxies
from proxytune.evaluation.exact import ExactScorer, exact_scorer
from proxytune.evaluation.losses import loss_curves, read_losses
from proxytune.evaluation.masc import MascScorer, masc_scorer
from proxytune.evaluation.metrics_file import build_metrics, write_metrics
from proxytune.evaluation.pictures import ScoredPicture, ShownPhoto, View, save_view
from proxytune.evaluation.report.curation import show_curation, summary
from proxytune.evaluation.report.page import write_report
from proxytune.evaluation.report.photo_warnings import photo_warnings
from proxytune.evaluation.report.protocol import EncoderInputs
from proxytune.evaluation.report.tensorboard import write_events
from proxytune.evaluation.validation import read_validation
from proxytune.masks.photo_masks import mask_words, masks_of
from proxytune.metrics.dreamsim import DreamSimEncoder
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder, Vectors
from proxytune.metrics.masc import MascScore
from proxytune.metrics.pictures import Picture, open_picture
from proxytune.metrics.scores import (
    among_themselves,
    diversity,
    nearest,
    nearest_other,
    to_prompts,
    to_references,
)
from proxytune.training.device import default_device

if TYPE_CHECKING:
    from proxytune.drawn_world.ground_truth.measures import Exact

# Images that are open at once, and the encoders' batch: 32 of 1024 pixels take 100 MB.
BATCH = 32
PACKAGES = ("proxytune", "torch", "transformers", "tokenizers", "numpy", "pillow", "jinja2")


def evaluate(folders: Folders, hyperparameters: EvaluateHyperparameters, stop: StopRequest) -> None:
    """Score the images of the run and write the report.

    Nothing is resumed: a second attempt starts again, which costs minutes. SIGTERM therefore needs no
    handling; the page is written last, so a folder with index.html is complete.

    Args:
        folders: channels plan, references, proxies, samples-teacher, samples-student, clip, dino, and
            curation, validation, the losses, siglip and segmenter where the plan asks for them; outputs go to
            its model folder.
        hyperparameters: of stage evaluate; `seed` is that of the bootstrap, and `mask_prompt` is what the
            segmenter looks for.
        stop: unused, see above.

    Raises:
        ProxytuneError: ChannelMissing, ShardInvalid, ProxiesIncomplete, ModelMismatch, RequestInvalid.
    """
    plan = read_plan(folders.channel(CHANNELS.plan))
    score_exactly = exact_scorer(plan)
    proxies = curated_proxies(folders, plan)
    pictures = collect(folders, plan, proxies)
    report = folders.model
    report.mkdir(parents=True, exist_ok=True)
    progress = ProgressFile(folders.checkpoints, "evaluate", len(pictures))
    progress.write("loading the encoders", 0)
    device = default_device()
    clip = ClipEncoder(folders.channel(CHANNELS.clip), device)
    dino = DinoEncoder(folders.channel(CHANNELS.dino), device)
    photos = [open_picture(one, one.read()) for one in pictures if one.row == "photos"]
    masc = masc_scorer(folders, hyperparameters, plan["category"], photos)
    dreamsim = dreamsim_encoder(folders, device)
    progress.restart_rate(0)
    encoded = encode(pictures, clip, dino, score_exactly, masc, dreamsim, report, progress)
    scored = score(pictures, encoded, clip)
    validation = read_validation(folders, plan, report)
    curation = None if proxies is None else show_curation(proxies, report)
    metrics = build_metrics(
        plan,
        scored,
        _evaluator(plan, clip, dino, masc, dreamsim, device),
        hyperparameters["seed"],
        {
            **({} if validation is None else {"choice": validation.record}),
            **({} if curation is None else {"curation": summary(curation.record)}),
        },
    )
    write_metrics(metrics, report)
    views = [view for picture, view in zip(pictures, encoded.views, strict=True) if picture.row == "photos"]
    channel = folders.channel(CHANNELS.references)
    masks = masks_of(channel, folders.optional_channel(CHANNELS.masks))
    words: list[str | None] = [mask_words(mask) for mask in masks]
    words = words or [None] * len(views)
    references = [ShownPhoto(*one) for one in zip(views, captions_of(channel), words, strict=True)]
    inputs = EncoderInputs(clip.preprocessing, dino.preprocessing)
    losses = read_losses(folders)
    write_events(report, losses, None if validation is None else validation.record)
    write_report(
        plan,
        metrics,
        references,
        scored,
        report,
        inputs,
        validation,
        curation,
        photo_warnings(channel),
        loss_curves(losses),
    )
    progress.write("report written", len(pictures))
    print(metrics["verdict"], flush=True)


@dataclass(frozen=True)
class Encoded:
    """Per image, in order: unit vectors, exact measures and MaSC if there are any, and its files."""

    clip: Vectors
    dino: Vectors
    exact: list[Exact | None]
    masc: list[MascScore | None]
    dreamsim: Vectors | None
    views: list[View]


def encode(
    pictures: Sequence[Picture],
    clip: ClipEncoder,
    dino: DinoEncoder,
    score_exactly: ExactScorer,
    masc: MascScorer | None,
    dreamsim: DreamSimEncoder | None,
    report: Path,
    progress: ProgressFile,
) -> Encoded:
    """Open every image once: for both encoders, the exact measures, and the files of the report."""
    clip_parts, dino_parts, dreamsim_parts = [], [], []
    exact: list[Exact | None] = []
    of_masc: list[MascScore | None] = []
    views: list[View] = []
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        contents = [picture.read() for picture in batch]
        opened = [open_picture(picture, content) for picture, content in zip(batch, contents, strict=True)]
        clip_parts.append(clip.pictures(opened, BATCH))
        dino_parts.append(dino.pictures(opened, BATCH))
        if dreamsim is not None:
            dreamsim_parts.append(dreamsim.pictures(opened, BATCH))
        exact += score_exactly(opened, [picture.prompt for picture in batch])
        of_masc += [None] * len(batch) if masc is None else masc(batch, opened)
        for picture, content, image in zip(batch, contents, opened, strict=True):
            views.append(save_view(picture, content, image, report))
        if progress.due():
            progress.write("scoring images", start + len(batch))
    joined = np.concatenate(dreamsim_parts) if dreamsim_parts else None
    return Encoded(np.concatenate(clip_parts), np.concatenate(dino_parts), exact, of_masc, joined, views)


def score(pictures: Sequence[Picture], encoded: Encoded, clip: ClipEncoder) -> list[ScoredPicture]:
    """Score every image; a single photo cannot be compared with others and is left out."""
    of_row: dict[str, list[int]] = {}
    for position, picture in enumerate(pictures):
        of_row.setdefault(picture.row, []).append(position)
    photos = of_row["photos"]
    texts = _text_vectors(pictures, clip)
    scored: list[ScoredPicture] = []
    for row, positions in of_row.items():
        members = [pictures[position] for position in positions]
        clip_vectors, dino_vectors = encoded.clip[positions], encoded.dino[positions]
        clip_t: Sequence[float | None]
        if row == "photos":
            if len(photos) == 1:
                continue
            clip_i, dino = among_themselves(clip_vectors), among_themselves(dino_vectors)
            clip_t, near = [None] * len(photos), nearest_other(dino_vectors)
        else:
            clip_i = to_references(clip_vectors, encoded.clip[photos])
            dino = to_references(dino_vectors, encoded.dino[photos])
            clip_t = to_prompts(clip_vectors, np.stack([texts[one.plain or ""] for one in members]))
            near = nearest(dino_vectors, encoded.dino[photos])
        alike = _dreamsim(encoded, positions, photos if row != "photos" else None)
        apart = diversity(dino_vectors, [one.prompt for one in members])
        scored += [
            ScoredPicture(
                pictures[at],
                encoded.views[at],
                clip_i[nth],
                clip_t[nth],
                dino[nth],
                near[nth],
                apart[nth],
                encoded.exact[at],
                encoded.masc[at],
                alike[nth],
            )
            for nth, at in enumerate(positions)
        ]
    return scored


def _dreamsim(encoded: Encoded, positions: list[int], photos: list[int] | None) -> Sequence[float | None]:
    """DreamSim of the images of a row to the photos; of photos, to each other."""
    if encoded.dreamsim is None:
        return [None] * len(positions)
    vectors = encoded.dreamsim[positions]
    return among_themselves(vectors) if photos is None else to_references(vectors, encoded.dreamsim[photos])


def _text_vectors(pictures: Sequence[Picture], clip: ClipEncoder) -> dict[str, Vectors]:
    plain = sorted({picture.plain for picture in pictures if picture.plain is not None})
    return dict(zip(plain, clip.texts(plain), strict=True))


def _evaluator(
    plan: Plan,
    clip: ClipEncoder,
    dino: DinoEncoder,
    masc: MascScorer | None,
    dreamsim: DreamSimEncoder | None,
    device: torch.device,
) -> dict[str, Any]:
    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {
        "clip": plan["models"]["clip"]["id"],
        "dino": plan["models"]["dino"]["id"],
        "clip_sha256": clip.sha256,
        "dino_sha256": dino.sha256,
        **({} if masc is None else _of_masc(plan, masc)),
        **({} if dreamsim is None else _of_dreamsim(plan, dreamsim)),
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
            "device": hardware,
        },
    }


def dreamsim_encoder(folders: Folders, device: torch.device) -> DreamSimEncoder | None:
    """Load DreamSim; None in a run without it.

    Raises:
        ProxytuneError: ChannelMissing, ModelMismatch.
    """
    folder = folders.optional_channel(CHANNELS.dreamsim)
    return None if folder is None else DreamSimEncoder(folder, device)


def _of_dreamsim(plan: Plan, dreamsim: DreamSimEncoder) -> dict[str, str]:
    return {"dreamsim": plan["models"]["dreamsim"]["id"], "dreamsim_sha256": dreamsim.sha256}


def _of_masc(plan: Plan, masc: MascScorer) -> dict[str, str]:
    models = plan["models"]
    return {
        "siglip": models["siglip"]["id"],
        "siglip_sha256": masc.siglip.sha256,
        "segmenter": models["segmenter"]["id"],
        "segmenter_sha256": masc.segmenter.sha256,
    }
