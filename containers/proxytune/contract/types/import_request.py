"""Types of what import-model orders from the hub.

Written by `npm run schemas` from lib/core; do not edit.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from proxytune.contract.types.model_manifest import Licence


class ImportRequest(TypedDict):
    """Fields of import request."""

    version: Literal[1]
    # Catalogue id.
    model: str
    # On the hub, owner/name.
    repository: str
    # Commit, branch or tag; null: the main branch as it is now.
    revision: str | None
    # `*` stands for anything but a slash.
    files: list[str]
    licence: Licence
    gated: bool
    # Secrets Manager's name of the hub's token; null: none is needed.
    secret: str | None
    # Where the model goes.
    bucket: str
    # Below which key; ends in a slash.
    prefix: str
