"""The headers of an adapter's files: their origin, for people and software that find them alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from proxytune.contract.hyperparameters import WITHOUT_EFFECT
from proxytune.contract.model_manifest import sha256_of
from proxytune.contract.types.hyperparameters import TeachHyperparameters
from proxytune.training.lora import RECORDED_PACKAGES, package_versions


def adapter_metadata(
    hyperparameters: TeachHyperparameters,
    *,
    architecture: str,
    photos: Sequence[str],
    captions: Sequence[str | None],
    base_sha256: str,
    step: int,
) -> dict[str, str]:
    """Return the header of an adapter's files: the keys of SAI's model spec, and ours.

    Args:
        hyperparameters: those of stage teach.
        architecture: the family's name in the model spec.
        photos: SHA-256 of every photo.
        captions: SHA-256 of every photo's caption; None for a photo without one.
        base_sha256: `weights_sha256` of the base network.
        step: of the checkpoint.
    """
    settings = {key: value for key, value in hyperparameters.items() if key not in WITHOUT_EFFECT}
    size = f"{hyperparameters['size']}x{hyperparameters['size']}"
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": architecture,
        "modelspec.implementation": "https://github.com/huggingface/diffusers",
        "modelspec.title": hyperparameters["prompts"][0],
        "modelspec.trigger_phrase": hyperparameters["token_word"],
        "modelspec.license": hyperparameters.get("licence", "that of the base model"),
        "modelspec.resolution": size,
        "proxytune.base_model": hyperparameters["model"],
        "proxytune.base_sha256": base_sha256,
        "proxytune.step": str(step),
        "proxytune.settings": json.dumps(settings, sort_keys=True),
        "proxytune.photos": json.dumps(list(photos)),
        "proxytune.captions": json.dumps(list(captions)),
        "proxytune.versions": json.dumps(package_versions(RECORDED_PACKAGES), sort_keys=True),
    }


def weights_sha256(folder: Path) -> str:
    """Hash a network's weights: the hash of the one file, or else the hash of all files' hashes by name."""
    hashes = [sha256_of(file) for file in sorted(folder.glob("*.safetensors"))]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()
