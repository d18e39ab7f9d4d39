"""Validation by the JSON Schemas that lib/core exports: whatever crosses the wall to TypeScript has one."""

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
        None when it fits, else one line that names the place and what is wrong there.
    """
    return first_error(load(name), value)


def first_error(schema: dict[str, Any], value: object) -> str | None:
    """The most telling error of a value against a schema, as `place: what is wrong`; None when it fits."""
    # Imported here because processes that validate nothing should not pay for it.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(schema).iter_errors(value))
    if error is None:
        return None
    place = "/".join(str(part) for part in error.absolute_path)
    return f"{place}: {error.message}" if place else error.message


def branch(schema: dict[str, Any], key: str, value: object) -> dict[str, Any] | None:
    """Of a union told apart by `key` (zod's discriminatedUnion): the member where `key` must be `value`."""
    for member in schema.get("oneOf") or schema.get("anyOf") or []:
        if member.get("properties", {}).get(key, {}).get("const") == value:
            found: dict[str, Any] = member
            return found
    return None


def branch_keys(schema: dict[str, Any], key: str) -> list[str]:
    """Of a union told apart by `key`: every value that `key` may have."""
    members = schema.get("oneOf") or schema.get("anyOf") or []
    return [str(member.get("properties", {}).get(key, {}).get("const")) for member in members]
