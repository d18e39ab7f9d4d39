"""Errors with names: the same in TypeScript, in Python, in the state machine and in messages to the user."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

CATALOGUE_FILE = Path(__file__).parent / "schemas" / "errors.json"


class ProxytuneError(Exception):
    """An error that the user can understand and act on.

    `name` is one of `lib/core/contract/errors.json`, for instance `ModelMismatch`; it is what the state
    machine catches. The message is built exactly as `lib/core/errors.ts` builds it: what happened, what
    was given, what is allowed, what to do.

    Args:
        name: a name of the catalogue.
        what: what happened, in the user's terms.
        given: what was given; left out of the message when None.
        allowed: what would have been allowed; left out of the message when None.
        remedy: what to do now.
    """

    def __init__(
        self, name: str, *, what: str, remedy: str, given: str | None = None, allowed: str | None = None
    ) -> None:
        names = catalogue()
        if names and name not in names:
            raise ValueError(
                f"{name} is not an error of the catalogue; its names: {', '.join(sorted(names))}"
            )
        self.name = name
        self.what = what
        self.given = given
        self.allowed = allowed
        self.remedy = remedy
        super().__init__(_sentence(what, given, allowed, remedy))

    def __str__(self) -> str:
        """The message without the name."""
        return str(self.args[0])

    @property
    def line(self) -> str:
        """`ErrorName: message`, as it stands in failure files and on stderr."""
        return f"{self.name}: {self}"


@cache
def catalogue() -> dict[str, dict[str, object]]:
    """Name -> {exit, retry, when}; empty where the catalogue has not been exported."""
    if not CATALOGUE_FILE.exists():
        return {}
    names: dict[str, dict[str, object]] = json.loads(CATALOGUE_FILE.read_text("utf-8"))
    return names


def _sentence(what: str, given: str | None, allowed: str | None, remedy: str) -> str:
    parts = [
        _stop(what),
        "" if given is None else f"Given: {_stop(given)}",
        "" if allowed is None else f"Allowed: {_stop(allowed)}",
        f"What to do: {_stop(remedy)}",
    ]
    return " ".join(part for part in parts if part)


def _stop(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
