"""The facts about a run in the report: settings, planned stages, licences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from proxytune.contract.plan_file import models_of
from proxytune.contract.types.plan import Plan, StagePlan

ROLES = {
    "teacher": "Teacher",
    "student": "Student",
    "clip": "Encoder",
    "dino": "Encoder",
    "siglip": "Encoder",
    "dreamsim": "Encoder",
    "segmenter": "Segmenter",
}
# An e-mail address is private, and a report is meant to be shown.
PRIVATE = frozenset({"notify", "$schema", "again"})
COMMERCIAL = {
    "yes": "commercial use allowed",
    "no": "no commercial use",
    "mixed": "commercial use: see the note",
}


def settings(plan: Plan) -> list[tuple[str, str]]:
    """Flatten the resolved request to `advanced.teach.steps` -> `400`."""
    request = {key: value for key, value in plan["request"].items() if key not in PRIVATE}
    derived = {
        "tokenWord": plan["tokenWord"],
        "seed": plan["seed"],
        **({} if plan["proxies"] is None else {"proxies": plan["proxies"]}),
        "samples.picturesPerPrompt": plan["samples"]["picturesPerPrompt"],
        "samples.prompts": len(plan["prompts"]["evaluation"]),
        "prompts.proxy": plan["prompts"]["proxy"],
        **_evaluation_list(plan),
    }
    return list((dict(flat(request)) | dict(flat(derived))).items())


def _evaluation_list(plan: Plan) -> dict[str, Any]:
    chosen = plan["prompts"].get("evaluationList")
    if chosen is None:
        return {}
    return {f"prompts.evaluation.{key}": chosen[key] for key in ("title", "source", "chosenBy")}


def planned_stages(plan: Plan) -> list[dict[str, Any]]:
    """List the planned jobs: instance, duration, price and settings."""
    return [
        {
            "stage": stage["stage"],
            "instance": stage["instanceType"],
            "spot": stage.get("spot", False),
            "minutes": stage["minutes"],
            "usd": stage["usd"],
            "settings": list(flat(_settings_of(stage))),
        }
        for stage in plan["stages"]
    ]


def licence_lines(plan: Plan) -> list[dict[str, Any]]:
    """One line per model: its role, its title, and the terms of its use."""
    return [
        {
            "role": ROLES[role],
            **model,
            "use": COMMERCIAL[model["licence"]["commercial"]],
        }
        for role, model in models_of(plan).items()
    ]


def flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Flatten nested settings to dotted names with their values as text; a list is one value."""
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from flat(inner, f"{path}{key}.")
        else:
            yield f"{path}{key}", _text(inner)


def _text(value: Any) -> str:
    """A value as a person would write it: a number with four digits, as more are noise of its computation."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return json.dumps(
            [float(_text(one)) if isinstance(one, float) else one for one in value], ensure_ascii=False
        )
    return json.dumps(value, ensure_ascii=False)


def _settings_of(stage: StagePlan) -> Mapping[str, Any]:
    if stage["kind"] == "training":
        parameters: Mapping[str, Any] = stage["hyperparameters"]
        return {key: value for key, value in parameters.items() if key != "stage"}
    return {
        key: stage[key] for key in ("pictures", "chunks", "picturesPerChunk", "size", "batchSize", "sampler")
    }
