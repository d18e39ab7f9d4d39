"""The manifest of a base model, next to its files: the size and SHA-256 of each."""

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
# files are compared by size in a folder, and by hash when they are downloaded.
HASHED_BYTES = 64 * 2**20
READ_BYTES = 2**22


def parse(text: str, where: str) -> ModelManifest:
    """Parse and check the text of a manifest.

    Args:
        where: the place of the file, for the message.

    Raises:
        ProxytuneError: ModelChanged when it is invalid.
    """
    try:
        manifest: ModelManifest = json.loads(text)
    except json.JSONDecodeError as error:
        raise changed(where, f"{MANIFEST_FILE} is not valid JSON: {error}") from error
    fault = schema.check("model-manifest", manifest)
    if fault is not None:
        raise changed(where, f"{MANIFEST_FILE} has another version or is corrupt: {fault}")
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
    """Compare a listing with the manifest.

    Args:
        sizes: path below the model -> bytes.

    Raises:
        ProxytuneError: ModelChanged, naming the first file that differs.
    """
    known = {entry["path"]: entry["size"] for entry in manifest["files"]}
    for path, size in known.items():
        if path not in sizes:
            raise changed(where, f"{path} is missing")
        if sizes[path] != size:
            raise changed(where, f"{path} has {sizes[path]} bytes instead of {size}")
    for path in sizes:
        if path not in known:
            raise changed(where, f"{path} was not imported")


def check_hash(entry: ModelManifestFile, sha256: str, where: str) -> None:
    """Compare the hash of a file's content.

    Args:
        entry: of the manifest.

    Raises:
        ProxytuneError: ModelChanged.
    """
    if sha256 != entry["sha256"]:
        raise changed(where, f"{entry['path']} has other content than the imported file")


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    return sha256_of_all(blocks(file))


def sha256_of_all(content: Iterable[bytes]) -> str:
    """SHA-256 of content in blocks."""
    digest = hashlib.sha256()
    for block in content:
        digest.update(block)
    return digest.hexdigest()


def blocks(file: Path) -> Iterator[bytes]:
    """Yield a file's content in blocks that fit in memory."""
    with file.open("rb") as opened:
        while block := opened.read(READ_BYTES):
            yield block


def changed(where: str, why: str) -> ProxytuneError:
    """Return the error of a model that is not the imported one."""
    return ProxytuneError(
        "ModelChanged",
        what=f"The base model is not the one that was imported: {why}",
        given=where,
        remedy="import it again with npx proxytune import-model, which replaces what differs",
    )
