"""Reading a student's model folder: strictly, key by key, and never more of it than is needed."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from proxytune.contract.errors import ProxytuneError
from proxytune.student.modules import differences

_log = logging.getLogger(__name__)

CONFIG_FILE = "config.json"
_INDEX, WEIGHTS_FILE = "model.safetensors.index.json", "model.safetensors"


def mismatch(what: str, *, given: str, remedy: str, allowed: str | None = None) -> ProxytuneError:
    """Make the error of a model folder that cannot be used."""
    return ProxytuneError("ModelMismatch", what=what, given=given, allowed=allowed, remedy=remedy)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of a model folder.

    Raises:
        ProxytuneError: ModelMismatch when it is missing or unreadable.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise mismatch(
            f"The model folder has no readable {path.name}",
            given=str(error),
            remedy="point to a folder with this student's model, in the layout of docs/models.md",
        ) from error
    return values


def read_facts(folder: Path, family: str, fields: Sequence[str]) -> dict[str, Any]:
    """Read the config.json of a folder that Proxytune wrote.

    Args:
        fields: that it must have.

    Raises:
        ProxytuneError: ModelMismatch when it is another family's, or incomplete.
    """
    path = folder / CONFIG_FILE
    facts = read_json(path)
    missing = sorted(set(fields) - facts.keys())
    if facts.get("family") != family or missing:
        raise mismatch(
            f"{path} is not that of a {family} student",
            given=f"family {facts.get('family')!r}, missing fields {missing}",
            allowed=f"family {family!r} with {', '.join(fields)}",
            remedy=f"point to a folder that was written for a {family} student",
        )
    return facts


def not_buildable(path: Path, error: Exception, remedy: str) -> ProxytuneError:
    """Make the error of a config from which no model can be built."""
    return mismatch(
        f"{path} does not describe a model that can be built",
        given=str(error).strip().splitlines()[0],
        remedy=remedy,
    )


def check_size(wanted: int | None, own: int) -> None:
    """Refuse another image size than the model's; None accepts it.

    Raises:
        ProxytuneError: ModelMismatch.
    """
    if wanted is not None and wanted != own:
        raise mismatch(
            "This model generates images of another size",
            given=f"image_size {wanted}",
            allowed=str(own),
            remedy="ask for the model's own size, or import the weights that were trained at yours",
        )


def read_weights(
    folder: Path,
    dtype: torch.dtype,
    device: str | torch.device,
    *,
    only: str = "",
    leave: Sequence[str] = (),
) -> dict[str, Tensor]:
    """Read all tensors of a folder in the layout of transformers: one file, or parts with their index.

    Part by part, straight onto the device and into the number format, so that no large model is in memory
    twice.

    Args:
        only: prefix of the keys that are wanted.
        leave: prefixes of keys among them that are skipped.

    Raises:
        ProxytuneError: ModelMismatch for a file that cannot be read.
    """
    names = [WEIGHTS_FILE]
    if (folder / _INDEX).is_file():
        names = sorted(set(read_json(folder / _INDEX).get("weight_map", {}).values()))
    weights: dict[str, Tensor] = {}
    for name in names:
        weights |= read_file(folder / name, dtype, device, only=only, leave=leave)
    return weights


def read_file(
    file: Path,
    dtype: torch.dtype,
    device: str | torch.device = "cpu",
    *,
    only: str = "",
    leave: Sequence[str] = (),
) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file; see `read_weights`."""
    weights = {}
    try:
        with safe_open(file, framework="pt", device=str(device)) as part:
            # An opened file can list its keys, but cannot be iterated.
            for key in part.keys():  # noqa: SIM118
                if key.startswith(tuple(leave)):
                    _log.info("%s has %s, which is not read from there", file, key)
                elif key.startswith(only):
                    weights[key] = part.get_tensor(key).to(dtype)
    except (OSError, SafetensorError) as error:
        raise mismatch(
            f"The weights {file} cannot be read",
            given=str(error),
            remedy="copy the complete model folder again",
        ) from error
    return weights


def load_strictly(
    model: nn.Module, file: Path, dtype: torch.dtype, *, computed: Collection[str] = ()
) -> None:
    """Give a model (which may be on the meta device) the weights of a file, key by key.

    Raises:
        ProxytuneError: `ModelMismatch`; see `fill_strictly`.
    """
    fill_strictly(model, read_file(file, dtype), file, computed=computed)


def fill_strictly(
    model: nn.Module, weights: dict[str, Tensor], source: Path, *, computed: Collection[str] = ()
) -> None:
    """Give a model (which may be on the meta device) weights, key by key, as they are.

    Args:
        source: the file or folder they come from, for messages.
        computed: keys that `weights` may have although the model computes them.

    Raises:
        ProxytuneError: `ModelMismatch`, naming up to three keys that are missing, unknown or misshapen.
    """
    for key in set(computed) & weights.keys():
        _log.warning("%s has %s, which is computed here and ignored", source, key)
    weights = {key: value for key, value in weights.items() if key not in computed}
    wrong = differences(model.state_dict(), weights)
    if wrong:
        raise mismatch(
            f"The weights {source} do not fit their model",
            given="; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""),
            allowed="exactly the model's keys and shapes",
            remedy=f"use the weights that belong to the sizes; those of a model folder are in {CONFIG_FILE}",
        )
    trained = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    model.load_state_dict(weights, strict=True, assign=True)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trained[name])
