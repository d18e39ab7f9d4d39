"""Import of a model from the hub to a target: the missing files, verified on the way; the manifest last."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from proxytune.contract.model_manifest import blocks, sha256_of
from proxytune.contract.types.import_request import ImportRequest
from proxytune.contract.types.model_manifest import ModelManifest, ModelManifestFile
from proxytune.importing.hub import Hub, HubFile
from proxytune.importing.pickled import PICKLE, SAFE, to_safetensors
from proxytune.importing.targets import Target

# Parallel streams: one yields some tens of MB/s, and the hub is slow to start each of the small files.
FILES_AT_ONCE = 4


def import_files(
    request: ImportRequest, hub: Hub, target: Target, report: Callable[[str, int, int], None]
) -> ModelManifest:
    """Import a model; files that the target already has with the right SHA-256 are not fetched again.

    Args:
        request: in the form of the schema import-request.
        report: called with a line, the number of finished files, and the number of all files.

    Returns:
        The manifest, as written.

    Raises:
        ProxytuneError: ModelGated, HubFailed, ModelMismatch.
    """
    files = hub.select(request["files"])
    target.begin([_name(file) for file in files])
    done = 0

    def import_one(file: HubFile) -> ModelManifestFile:
        nonlocal done
        if Path(file.path).name == PICKLE:
            entry = _converted(file, hub, target)
        else:
            entry = target.same(file.path, file.size, file.sha256) or target.write(
                file.path, file.size, file.sha256, hub.content(file)
            )
        done += 1
        report(f"{entry['path']}: {entry['size']} bytes, sha256 {entry['sha256']}", done, len(files))
        return entry

    # The largest first: otherwise the last one might be fetched alone.
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        entries = list(pool.map(import_one, sorted(files, key=lambda file: -file.size)))
    manifest: ModelManifest = {
        "version": 1,
        "model": request["model"],
        "source": f"https://huggingface.co/{hub.repository}",
        "revision": hub.commit,
        "licence": request["licence"],
        "gated": request["gated"],
        "importedAt": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "bytes": sum(entry["size"] for entry in entries),
        "linked": None,
        "files": sorted(entries, key=lambda entry: entry["path"]),
    }
    target.end(manifest)
    return manifest


def _name(file: HubFile) -> str:
    """The path that a file is stored under."""
    path = Path(file.path)
    return path.with_name(SAFE).as_posix() if path.name == PICKLE else file.path


def _converted(file: HubFile, hub: Hub, target: Target) -> ModelManifestFile:
    """Convert a pickle to safetensors; it is always fetched, as the hash of the result is unknown before."""
    with tempfile.TemporaryDirectory(prefix="proxytune-import-") as folder:
        pickled, safe = Path(folder) / PICKLE, Path(folder) / SAFE
        with pickled.open("wb") as opened:
            opened.writelines(hub.content(file))
        to_safetensors(pickled, safe)
        pickled.unlink()
        size, sha256 = safe.stat().st_size, sha256_of(safe)
        existing = target.same(_name(file), size, sha256)
        return existing or target.write(_name(file), size, sha256, blocks(safe))
