"""Warnings of the inspection about the photos, from its file next to the references."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from proxytune.contract.names import FILES


class PhotoWarning(NamedTuple):
    """A finding that did not stop the run.

    Attributes:
        file: of the photo, or of its caption or mask; None for a finding about all photos together.
        message: what was found.
        remedy: what to do about it.
    """

    file: str | None
    message: str
    remedy: str


def photo_warnings(references: Path) -> list[PhotoWarning]:
    """Read the warnings, in the order of the inspection.

    Args:
        references: folder with the prepared photos and the file of findings. Without it there are no
            warnings.
    """
    file = references / FILES.findings
    if not file.is_file():
        return []
    found: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
    return list(_warnings(found))


def _warnings(found: Mapping[str, Any]) -> Iterator[PhotoWarning]:
    for entry in [*found.get("photos", []), *found.get("companions", [])]:
        for finding in entry["findings"]:
            if finding["severity"] == "warning":
                yield PhotoWarning(entry["file"], finding["message"], finding["remedy"])
    for finding in found.get("set", []):
        if finding["severity"] == "warning":
            yield PhotoWarning(None, finding["message"], finding["remedy"])
