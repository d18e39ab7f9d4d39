"""The manifest of a base model, next to its files: every file's size and SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.names import FILES
from proxytune.contract.types.model_manifest import ModelManifest, ModelManifestFile

MANIFEST_FILE = FILES.manifest
# Settings, vocabularies and small weights: read anyway, and hashed in a few hundredths of a second. Larger
# files are compared by size where they lie, and by hash where they are pulled.
HASHED_BYTES = 64 * 2**20
READ_BYTES = 2**22


def parse(text: str, where: str) -> ModelManifest:
    """The manifest.

    Args:
        where: the place it is from, for the message.

    Raises:
        ProxytuneError: ModelChanged when it is none.
    """
    try:
        manifest: ModelManifest = json.loads(text)
    except json.JSONDecodeError as error:
        raise changed(where, f"{MANIFEST_FILE} is no JSON: {error}") from error
    fault = schema.check("model-manifest", manifest)
    if fault is not None:
        raise changed(where, f"{MANIFEST_FILE} is of another version, or damaged: {fault}")
    return manifest


def check_folder(folder: Path) -> None:
    """Compare a folder with its manifest, when it has one: names, sizes, and the hashes of small files.

    Raises:
        ProxytuneError: ModelChanged.
    """
    file = folder / MANIFEST_FILE
    if not file.is_file():
        return
    manifest = parse(file.read_text("utf-8", "replace"), str(folder))
    sizes = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path != file
    }
    check_sizes(manifest, sizes, str(folder))
    for entry in manifest["files"]:
        if entry["size"] <= HASHED_BYTES:
            check_hash(entry, sha256_of(folder / entry["path"]), str(folder))


def check_sizes(manifest: ModelManifest, sizes: Mapping[str, int], where: str) -> None:
    """Compare what a listing tells with the manifest.

    Args:
        sizes: path below the model -> bytes.

    Raises:
        ProxytuneError: ModelChanged, naming the first file that differs.
    """
    known = {entry["path"]: entry["size"] for entry in manifest["files"]}
    for path, size in known.items():
        if path not in sizes:
            raise changed(where, f"{path} is gone")
        if sizes[path] != size:
            raise changed(where, f"{path} has {sizes[path]} bytes instead of {size}")
    for path in sizes:
        if path not in known:
            raise changed(where, f"{path} was not brought in")


def check_hash(entry: ModelManifestFile, sha256: str, where: str) -> None:
    """Compare the hash of a file's content.

    Args:
        entry: of the manifest.

    Raises:
        ProxytuneError: ModelChanged.
    """
    if sha256 != entry["sha256"]:
        raise changed(where, f"{entry['path']} has other content than was brought in")


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    return sha256_of_all(blocks(file))


def sha256_of_all(content: Iterable[bytes]) -> str:
    """SHA-256 of content that comes in pieces."""
    digest = hashlib.sha256()
    for block in content:
        digest.update(block)
    return digest.hexdigest()


def blocks(file: Path) -> Iterator[bytes]:
    """A file's content in pieces that fit the memory."""
    with file.open("rb") as opened:
        while block := opened.read(READ_BYTES):
            yield block


def changed(where: str, why: str) -> ProxytuneError:
    """The error of a model that is not the one that was brought in."""
    return ProxytuneError(
        "ModelChanged",
        what=f"The base model is not the one that was brought in: {why}",
        given=where,
        remedy="bring it in again with npx proxytune import-model, which mends what differs",
    )
