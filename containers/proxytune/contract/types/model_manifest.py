"""Types of manifest.json of a base model.

Written by `npm run schemas` from lib/core; do not edit.
"""

from __future__ import annotations

from typing import Literal, TypedDict


class Licence(TypedDict):
    """Fields of licence."""

    name: str
    url: str
    commercial: Literal["yes", "no", "mixed"]
    note: str


class ModelManifestFile(TypedDict):
    """Fields of model manifest file."""

    # Below the model, with forward slashes.
    path: str
    # Bytes.
    size: int
    sha256: str
    # ETag of this content in the bucket; null for a linked file.
    etag: str | None
    # Milliseconds since 1970 of a linked file; null in a bucket.
    modified: int | None


class ModelManifest(TypedDict):
    """Fields of model manifest."""

    version: Literal[1]
    # Catalogue id.
    model: str
    # Where the files were taken from.
    source: str
    # Commit of the hub; null for a folder.
    revision: str | None
    licence: Licence
    # Whether its terms had to be accepted before the download.
    gated: bool
    importedAt: str
    # Of all files together.
    bytes: int
    # Folder of this machine that the files stay in; null in a bucket.
    linked: str | None
    files: list[ModelManifestFile]
