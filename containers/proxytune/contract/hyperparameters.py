"""The hyperparameters of a training job: strings from SageMaker, converted to typed values by the schema."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.types.hyperparameters import Hyperparameters

# They decide when a checkpoint is written, not what is trained: a training may resume with another value.
WITHOUT_EFFECT = frozenset({"checkpoint_every"})


def read(folders: Folders) -> Hyperparameters:
    """Read and check the hyperparameters of this job.

    Raises:
        ProxytuneError: HyperparameterInvalid, naming the key, when one does not fit or the file is missing.
    """
    try:
        given = json.loads(folders.hyperparameters.read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise _invalid(f"The file {folders.hyperparameters} cannot be read: {error}") from error
    return parse(given)


def parse(given: dict[str, str]) -> Hyperparameters:
    """Turn SageMaker's flat object of strings into typed values.

    A value stays a string where the schema wants one; everything else is read as JSON (numbers in
    decimal, lists as JSON text), as `toStrings` in lib/core/stages/hyperparameters.ts writes it.

    Raises:
        ProxytuneError: HyperparameterInvalid.
    """
    union = schema.load("hyperparameters")
    stage = given.get("stage")
    member = schema.branch(union, "stage", stage)
    if member is None:
        raise _invalid(
            "The hyperparameter 'stage' is not the stage of a training job",
            given=repr(stage),
            allowed=", ".join(schema.branch_keys(union, "stage")),
        )
    values: Any = {key: _typed(key, text, member["properties"].get(key, {})) for key, text in given.items()}
    wrong = schema.first_error(member, values)
    if wrong is not None:
        raise _invalid(f"The hyperparameters of stage '{stage}' do not fit their schema: {wrong}")
    hyperparameters: Hyperparameters = values
    return hyperparameters


def settings_hash(hyperparameters: Mapping[str, object], data: list[str]) -> str:
    """Hash everything that decides what a training computes.

    Args:
        hyperparameters: as `read` returns them.
        data: identities of the training data, in order, for instance the SHA-256 of every photo.
    """
    kept = {key: value for key, value in hyperparameters.items() if key not in WITHOUT_EFFECT}
    text = json.dumps({"hyperparameters": kept, "data": data}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _typed(key: str, text: str, property_schema: dict[str, Any]) -> object:
    if property_schema.get("type") == "string" or isinstance(property_schema.get("const"), str):
        return text
    if not isinstance(text, str):
        raise _invalid(
            f"The hyperparameter '{key}' is not a string", given=repr(text), allowed="strings only"
        )
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        # Unchanged: the schema then names the type that is expected here.
        return text


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not valid JSON")


def _invalid(what: str, *, given: str | None = None, allowed: str | None = None) -> ProxytuneError:
    return ProxytuneError(
        "HyperparameterInvalid",
        what=what,
        given=given,
        allowed=allowed,
        remedy="correct the request's settings; a plan made by this version of Proxytune always fits",
    )
