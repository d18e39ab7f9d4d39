"""What every trained adapter has beside its weights: adapter.json, and how it is read back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from proxytune.contract.errors import ProxytuneError

FACTS_FILE = "adapter.json"
# What decides how weights are read; recorded so that an adapter can be understood years later.
RECORDED_PACKAGES = ("proxytune", "torch", "diffusers", "transformers", "peft", "safetensors")


def write_facts(folder: Path, hyperparameters: dict[str, Any], **more: object) -> None:
    """Write adapter.json: the stage, its settings, what it was trained on and the versions that did it.

    Args:
        hyperparameters: as `contract.hyperparameters.read` returns them.
        more: further facts, for instance `photos=[sha256, ...]`.
    """
    facts = {
        **{key: value for key, value in hyperparameters.items() if key != "checkpoint_every"},
        **more,
        "versions": package_versions(RECORDED_PACKAGES),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", "utf-8")


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """The installed versions of packages."""
    return {name: version(name) for name in names}


def check_facts(folder: Path, *, family: str, model: str | None) -> dict[str, Any]:
    """Read adapter.json and check that the adapter was trained on the model it is about to be put on.

    Args:
        model: catalogue id of the base model; None leaves it unchecked.

    Raises:
        ProxytuneError: ModelMismatch.
    """
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS_FILE).read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise ProxytuneError(
            "ModelMismatch",
            what=f"The adapter's facts cannot be read: {error}",
            allowed="an adapter made by a stage of Proxytune, with its adapter.json",
            remedy="give the job the model.tar.gz of the stage that trained the adapter",
        ) from error
    given = (facts.get("family"), facts.get("model"))
    wanted = (family, model if model is not None else facts.get("model"))
    if given != wanted:
        raise ProxytuneError(
            "ModelMismatch",
            what="The adapter was trained on another model",
            given=f"family {given[0]}, model {given[1]}",
            allowed=f"family {wanted[0]}, model {wanted[1]}",
            remedy="give the job the adapter of the same run",
        )
    return facts
