"""The curate job: from the proxies of a round to curation.json in the model folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from proxytune.contract import schema
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, FILES, FOLDERS
from proxytune.contract.plan_file import curation_of, read_plan
from proxytune.contract.progress import ProgressFile, replace_file
from proxytune.contract.signals import StopRequest
from proxytune.contract.types.hyperparameters import CurateHyperparameters
from proxytune.contract.types.plan import CurationPlanSafety, Plan
from proxytune.curation.coverage import Coverage, measure_coverage
from proxytune.curation.criteria import CRITERIA, Classification, Limits, Texts, classify, limits_for
from proxytune.curation.embeddings import Embeddings, compute_embeddings
from proxytune.images.dataset import read_proxies
from proxytune.images.shard import Picture
from proxytune.masks.proxy_masks import compute_proxy_masks
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder
from proxytune.metrics.pictures import open_picture, references
from proxytune.metrics.prompts import plain_prompts
from proxytune.training.device import default_device


def curate(folders: Folders, hyperparameters: CurateHyperparameters, stop: StopRequest) -> None:
    """Score the proxies that exist at the end of a round, and decide which the student is trained on.

    A second attempt and a later round compute only what the checkpoint folder lacks. SIGTERM needs no
    handling, as that folder is written along the way.

    Args:
        folders: channels plan, references, proxies, clip, dino; curation.json goes to its model folder.
        hyperparameters: of stage curate; `round` is the number of the finished round.
        stop: unused, see above.

    Raises:
        ProxytuneError: ChannelMissing, ShardInvalid, ProxiesIncomplete, ModelMismatch.
    """
    plan = read_plan(folders.channel(CHANNELS.plan))
    settings, number = curation_of(plan), hyperparameters["round"]
    ends = settings["rounds"][:number]
    proxies = read_proxies(folders.channel(CHANNELS.proxies), ends[-1])
    progress = ProgressFile(folders.checkpoints, "curate", len(proxies))
    progress.write("loading the encoders", 0)
    device = default_device()
    clip = ClipEncoder(folders.channel(CHANNELS.clip), device)
    dino = DinoEncoder(folders.channel(CHANNELS.dino), device)
    progress.restart_rate(0)
    photos = _photos(folders, clip, dino)
    embeddings = compute_embeddings(proxies, clip, dino, folders.checkpoints, progress)
    masked = _masked(proxies, folders, hyperparameters, progress)
    plain = plain_prompts(plan)
    texts = _texts(clip, sorted(set(plain.values())), settings["safety"])
    limits = limits_for(settings, photos, texts.plain[plain[plan["prompts"]["proxy"]]][None])
    prompts = [plain[picture.record.prompt] for picture in proxies]
    results = classify(embeddings, prompts, photos, texts, limits)
    coverage = None
    if settings["adaptive"] is not None:
        usable = [result.kept or result.repeats for result in results]
        kept = [result.kept for result in results]
        coverage = measure_coverage(embeddings.dino, usable, kept, ends, settings["adaptive"])
    record = _record(plan, number, proxies, results, limits, coverage)
    record["evaluator"] = {"clip_sha256": clip.sha256, "dino_sha256": dino.sha256}
    if masked is not None:
        record["masked"] = masked
    _write(record, folders)
    progress.write(f"kept {record['kept']} of {record['drawn']}", len(proxies))


def _masked(
    proxies: Sequence[Picture],
    folders: Folders,
    hyperparameters: CurateHyperparameters,
    progress: ProgressFile,
) -> int | None:
    """Mask the proxies where the run wants it; returns how many have a mask that tells the subject."""
    prompt = hyperparameters.get("mask_prompt")
    if prompt is None:
        return None
    # Imported here only: transformers' CLIPSeg takes seconds, and most runs have no masks.
    from proxytune.masks.segmenter import Segmenter

    progress.write("loading the segmenter", 0)
    segmenter = Segmenter(folders.channel(CHANNELS.segmenter), default_device())
    progress.restart_rate(0)
    masks = compute_proxy_masks(proxies, segmenter, prompt, folders.checkpoints / FOLDERS.masks, progress)
    found = sum(mask is not None for mask in masks)
    if found < len(masks):
        print(
            f"warning: no subject was found in {len(masks) - found} of {len(masks)} proxies; the student is "
            "trained on all of each",
            flush=True,
        )
    return found


def _photos(folders: Folders, clip: ClipEncoder, dino: DinoEncoder) -> Embeddings:
    images: list[Image.Image] = [
        open_picture(picture, picture.read()) for picture in references(folders.channel(CHANNELS.references))
    ]
    return Embeddings(clip.pictures(images), dino.pictures(images))


def _texts(clip: ClipEncoder, plain: Sequence[str], safety: CurationPlanSafety | None) -> Texts:
    unsafe, safe = ([], []) if safety is None else (safety["unsafe"], safety["safe"])
    return Texts(
        plain=dict(zip(plain, clip.texts(plain), strict=True)),
        unsafe=dict(zip(unsafe, clip.texts(unsafe), strict=True)),
        safe=clip.texts(safe),
        scale=float(clip.model.logit_scale.exp()),
    )


def _record(
    plan: Plan,
    number: int,
    proxies: Sequence[Picture],
    results: Sequence[Classification],
    limits: Limits,
    coverage: Coverage | None,
) -> dict[str, Any]:
    dropped = {
        criterion: sum(any(name == criterion for name, _ in result.reasons) for result in results)
        for criterion in CRITERIA
    }
    return {
        "version": 1,
        "run": plan["runId"],
        "round": number,
        "rounds": len(curation_of(plan)["rounds"]),
        "drawn": len(proxies),
        "kept": sum(result.kept for result in results),
        "dropped": dropped,
        "limits": {name: None if limit is None else round(limit, 6) for name, limit in vars(limits).items()},
        "pictures": [_picture(picture, result) for picture, result in zip(proxies, results, strict=True)],
        "adaptive": None if coverage is None else vars(coverage),
    }


def _picture(picture: Picture, result: Classification) -> dict[str, Any]:
    nearest, unsafe = result.nearest, result.unsafe
    return {
        "index": picture.record.index,
        "sha256": picture.record.sha256,
        "kept": result.kept,
        "fidelity": result.fidelity,
        "prompt": result.prompt,
        # The proxies are complete and in order, so a position among them is an index.
        "nearest": None if nearest is None else {"index": nearest[0], "distance": nearest[1]},
        "unsafe": None if unsafe is None else {"concept": unsafe[0], "probability": unsafe[1]},
        "reasons": [{"criterion": criterion, "why": why} for criterion, why in result.reasons],
    }


def _write(record: Mapping[str, Any], folders: Folders) -> None:
    wrong = schema.check("curation", record)
    if wrong is not None:
        raise ValueError(f"the curation does not fit its schema: {wrong}")
    folders.model.mkdir(parents=True, exist_ok=True)
    content = (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()
    replace_file(folders.model / FILES.curation, content)
