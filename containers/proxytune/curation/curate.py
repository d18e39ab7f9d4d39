"""The curate job: from the proxies of a round to curation.json in the model folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from proxytune.contract import schema
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, FILES
from proxytune.contract.plan_file import curation_of, read_plan
from proxytune.contract.progress import ProgressFile, replace_file
from proxytune.contract.signals import Stop
from proxytune.contract.types.hyperparameters import CurateHyperparameters
from proxytune.contract.types.plan import CurationPlanSafety, Plan
from proxytune.curation.coverage import Evidence, evidence
from proxytune.curation.criteria import CRITERIA, Limits, Texts, Verdict, judge, limits_for
from proxytune.curation.measured import Measured, measure
from proxytune.images.dataset import read_proxies
from proxytune.images.shard import Picture
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder
from proxytune.metrics.pictures import open_picture, references
from proxytune.metrics.prompts import plain_prompts
from proxytune.training.device import default_device


def curate(folders: Folders, hyperparameters: CurateHyperparameters, stop: Stop) -> None:
    """Measure the proxies that are there at the end of a round, and say which the student should learn from.

    A second attempt and a later round compute only what is not in the checkpoint folder yet. SIGTERM needs no
    answer here, as that folder is written along the way.

    Args:
        folders: channels plan, references, proxies, clip, dino; curation.json goes to its model folder.
        hyperparameters: of stage curate; `round` says which round is over.
        stop: not used, see above.

    Raises:
        ProxytuneError: ChannelMissing, ShardInvalid, ProxiesIncomplete, ModelMismatch.
    """
    plan = read_plan(folders.channel(CHANNELS.plan))
    asked, number = curation_of(plan), hyperparameters["round"]
    ends = asked["rounds"][:number]
    proxies = read_proxies(folders.channel(CHANNELS.proxies), ends[-1])
    progress = ProgressFile(folders.checkpoints, "curate", len(proxies))
    progress.write("loading the encoders", 0)
    device = default_device()
    clip = ClipEncoder(folders.channel(CHANNELS.clip), device)
    dino = DinoEncoder(folders.channel(CHANNELS.dino), device)
    progress.restart_rate(0)
    photos = _photos(folders, clip, dino)
    measured = measure(proxies, clip, dino, folders.checkpoints, progress)
    plain = plain_prompts(plan)
    texts = _texts(clip, sorted(set(plain.values())), asked["safety"])
    limits = limits_for(asked, photos, texts.plain[plain[plan["prompts"]["proxy"]]][None])
    verdicts = judge(measured, [plain[picture.record.prompt] for picture in proxies], photos, texts, limits)
    found = None
    if asked["adaptive"] is not None:
        usable = [verdict.kept or verdict.repeats for verdict in verdicts]
        kept = [verdict.kept for verdict in verdicts]
        found = evidence(measured.dino, usable, kept, ends, asked["adaptive"])
    record = _record(plan, number, proxies, verdicts, limits, found)
    record["evaluator"] = {"clip_sha256": clip.sha256, "dino_sha256": dino.sha256}
    _write(record, folders)
    progress.write(f"kept {record['kept']} of {record['drawn']}", len(proxies))


def _photos(folders: Folders, clip: ClipEncoder, dino: DinoEncoder) -> Measured:
    images: list[Image.Image] = [
        open_picture(picture, picture.read()) for picture in references(folders.channel(CHANNELS.references))
    ]
    return Measured(clip.pictures(images), dino.pictures(images))


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
    verdicts: Sequence[Verdict],
    limits: Limits,
    found: Evidence | None,
) -> dict[str, Any]:
    dropped = {
        criterion: sum(any(name == criterion for name, _ in verdict.reasons) for verdict in verdicts)
        for criterion in CRITERIA
    }
    return {
        "version": 1,
        "run": plan["runId"],
        "round": number,
        "rounds": len(curation_of(plan)["rounds"]),
        "drawn": len(proxies),
        "kept": sum(verdict.kept for verdict in verdicts),
        "dropped": dropped,
        "limits": {name: None if limit is None else round(limit, 6) for name, limit in vars(limits).items()},
        "pictures": [_picture(picture, verdict) for picture, verdict in zip(proxies, verdicts, strict=True)],
        "adaptive": None if found is None else vars(found),
    }


def _picture(picture: Picture, verdict: Verdict) -> dict[str, Any]:
    nearest, unsafe = verdict.nearest, verdict.unsafe
    return {
        "index": picture.record.index,
        "sha256": picture.record.sha256,
        "kept": verdict.kept,
        "fidelity": verdict.fidelity,
        "prompt": verdict.prompt,
        # Proxies are read whole and in order, so that a place among them is an index.
        "nearest": None if nearest is None else {"index": nearest[0], "distance": nearest[1]},
        "unsafe": None if unsafe is None else {"concept": unsafe[0], "probability": unsafe[1]},
        "reasons": [{"criterion": criterion, "why": why} for criterion, why in verdict.reasons],
    }


def _write(record: Mapping[str, Any], folders: Folders) -> None:
    wrong = schema.check("curation", record)
    if wrong is not None:
        raise ValueError(f"the curation does not fit its schema: {wrong}")
    folders.model.mkdir(parents=True, exist_ok=True)
    content = (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()
    replace_file(folders.model / FILES.curation, content)
