"""adapter.json next to the weights of every trained adapter: how it is written and read back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from proxytune.contract.errors import ProxytuneError

FACTS_FILE = "adapter.json"
# They decide how weights are read; recorded so that an adapter can be understood years later.
RECORDED_PACKAGES = ("proxytune", "torch", "diffusers", "transformers", "peft", "safetensors")


def write_facts(folder: Path, hyperparameters: Mapping[str, object], **more: object) -> None:
    """Write adapter.json: the stage, its settings, the training data and the package versions.

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
    """Return the installed versions of packages."""
    return {name: version(name) for name in names}


def check_facts(folder: Path, *, family: str, model: str | None) -> dict[str, Any]:
    """Read adapter.json and check that the adapter was trained on the model that it is about to be loaded on.

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
            what=f"The adapter's {FACTS_FILE} cannot be read: {error}",
            allowed=f"an adapter that a stage of Proxytune trained, with its {FACTS_FILE}",
            remedy="give the job the model.tar.gz of the stage that trained the adapter",
        ) from error
    given = (facts.get("family"), facts.get("model"))
    expected = (family, model if model is not None else facts.get("model"))
    if given != expected:
        raise ProxytuneError(
            "ModelMismatch",
            what="The adapter was trained on another model",
            given=f"family {given[0]}, model {given[1]}",
            allowed=f"family {expected[0]}, model {expected[1]}",
            remedy="give the job the adapter of the same run",
        )
    return facts
