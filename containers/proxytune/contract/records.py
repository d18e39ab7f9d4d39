"""What an earlier stage wrote for a later one: a JSON file in a channel, with a schema of lib/core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError

# Plan and records are written by one version of everything, or not read.
START_AGAIN = "start the run again, so that plan and container are of the same version"


def read_record(folder: Path, file: str, kind: str, *, channel: str, allowed: str, remedy: str) -> Any:
    """Read a record and check it.

    Args:
        folder: where the channel lies; `channel` is its name.
        kind: the record's schema; the caller names its type.
        allowed, remedy: for the error.

    Raises:
        ProxytuneError: ChannelMissing when the file is absent, is no JSON or does not fit its schema.
    """
    try:
        record = json.loads((folder / file).read_text("utf-8"))
        wrong = schema.check(kind, record)
        why = None if wrong is None else f"it does not fit its schema: {wrong}"
    except (FileNotFoundError, ValueError) as error:
        why = f"it cannot be read: {error}"
    if why is None:
        return record
    raise ProxytuneError(
        "ChannelMissing",
        what=f"The channel '{channel}' holds no usable {file}; {why}",
        allowed=allowed,
        remedy=remedy,
    )
