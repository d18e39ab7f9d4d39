"""Validation by the JSON Schemas that lib/core exports: all data that crosses from TypeScript has one."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA_FOLDER = Path(__file__).parent / "schemas"


@cache
def load(name: str) -> dict[str, Any]:
    """The schema `name` (hyperparameters, chunk, picture-record, progress, metrics, plan)."""
    schema: dict[str, Any] = json.loads((SCHEMA_FOLDER / f"{name}.schema.json").read_text("utf-8"))
    return schema


def check(name: str, value: object) -> str | None:
    """Check a value against schema `name`.

    Returns:
        None when it fits, else one line with the place and the error.
    """
    return first_error(load(name), value)


def first_error(schema: dict[str, Any], value: object) -> str | None:
    """Return the most relevant error of a value against a schema, as `place: error`; None when it fits."""
    # Imported here because processes that validate nothing should not load it.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(schema).iter_errors(value))
    if error is None:
        return None
    place = "/".join(str(part) for part in error.absolute_path)
    return f"{place}: {error.message}" if place else error.message


def branch(schema: dict[str, Any], key: str, value: object) -> dict[str, Any] | None:
    """Return the member of a union (zod's discriminatedUnion) whose discriminator `key` is `value`."""
    for member in schema.get("oneOf") or schema.get("anyOf") or []:
        if member.get("properties", {}).get(key, {}).get("const") == value:
            result: dict[str, Any] = member
            return result
    return None


def branch_keys(schema: dict[str, Any], key: str) -> list[str]:
    """Return every value of the discriminator `key` of a union."""
    members = schema.get("oneOf") or schema.get("anyOf") or []
    return [str(member.get("properties", {}).get(key, {}).get("const")) for member in members]
