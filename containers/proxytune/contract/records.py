"""Records that an earlier stage wrote for a later one: JSON files in channels, with schemas of lib/core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError

# A plan and records of another version are not read.
START_AGAIN = "start the run again, so that plan and container have the same version"


def read_record(folder: Path, file: str, kind: str, *, channel: str, allowed: str, remedy: str) -> Any:
    """Read a record and check it.

    Args:
        folder: of the channel, whose name is `channel`.
        kind: the record's schema; the caller names its type.
        allowed, remedy: for the error.

    Raises:
        ProxytuneError: ChannelMissing when the file is missing, invalid JSON or does not fit its schema.
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
        what=f"The channel '{channel}' contains no usable {file}; {why}",
        allowed=allowed,
        remedy=remedy,
    )
