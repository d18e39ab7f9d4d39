"""Names and limits that TypeScript and Python must say alike: `names.json`, exported by lib/core.

TypeScript reads the same file in lib/core/contract/names.ts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent / "schemas" / "names.json"


@dataclass(frozen=True)
class Limits:
    """Limits that the plan reckons with and the jobs keep.

    Attributes:
        scored_proxies: proxies that are scored at most. The mean of 200 is known to about 0.01; more would
            only make the report heavy.
    """

    scored_proxies: int


@dataclass(frozen=True)
class Names:
    """The whole of names.json; a field of it that is unknown here, or missing, is an error at import."""

    limits: Limits


def parse(text: str) -> Names:
    """Read the text of names.json.

    Raises:
        TypeError: it has other fields than these, such as one that only TypeScript knows yet.
    """
    content = json.loads(text)
    return Names(**content | {"limits": Limits(**_snake(content["limits"]))})


def _snake(fields: dict[str, int]) -> dict[str, int]:
    """camelCase of the file to Python's names."""
    return {
        "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name): value
        for name, value in fields.items()
    }


NAMES = parse(FILE.read_text("utf-8"))
LIMITS = NAMES.limits
