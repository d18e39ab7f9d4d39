"""A model from the hub to a target: everything that is missing, checked on the way, and the manifest last."""

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

# Streams at once: one gives some tens of MB/s, and the hub is slow to begin each of the small files.
FILES_AT_ONCE = 4


def bring(
    order: ImportRequest, hub: Hub, target: Target, tell: Callable[[str, int, int], None]
) -> ModelManifest:
    """Bring a model; called again, it brings only what is not there with the right SHA-256.

    Args:
        order: as schema import-order: model, source, licence, gated, files, and where they are from.
        tell: called with a line, the files that are done, and all files.

    Returns:
        The manifest that was written.

    Raises:
        ProxytuneError: ModelGated, HubFailed, ModelMismatch.
    """
    files = hub.chosen(order["files"])
    target.begin([_name(file) for file in files])
    done = 0

    def one(file: HubFile) -> ModelManifestFile:
        nonlocal done
        if Path(file.path).name == PICKLE:
            entry = _converted(file, hub, target)
        else:
            entry = target.same(file.path, file.size, file.sha256) or target.write(
                file.path, file.size, file.sha256, hub.content(file)
            )
        done += 1
        tell(f"{entry['path']}: {entry['size']} bytes, sha256 {entry['sha256']}", done, len(files))
        return entry

    # The largest first: the last one would otherwise come alone.
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        entries = list(pool.map(one, sorted(files, key=lambda file: -file.size)))
    manifest: ModelManifest = {
        "version": 1,
        "model": order["model"],
        "source": f"https://huggingface.co/{hub.repository}",
        "revision": hub.commit,
        "licence": order["licence"],
        "gated": order["gated"],
        "importedAt": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "bytes": sum(entry["size"] for entry in entries),
        "linked": None,
        "files": sorted(entries, key=lambda entry: entry["path"]),
    }
    target.end(manifest)
    return manifest


def _name(file: HubFile) -> str:
    """The path under which a file is kept."""
    path = Path(file.path)
    return path.with_name(SAFE).as_posix() if path.name == PICKLE else file.path


def _converted(file: HubFile, hub: Hub, target: Target) -> ModelManifestFile:
    """A pickle's tensors as safetensors. It is brought each time: what it becomes is not known before."""
    with tempfile.TemporaryDirectory(prefix="proxytune-import-") as folder:
        pickled, safe = Path(folder) / PICKLE, Path(folder) / SAFE
        with pickled.open("wb") as opened:
            opened.writelines(hub.content(file))
        to_safetensors(pickled, safe)
        pickled.unlink()
        size, sha256 = safe.stat().st_size, sha256_of(safe)
        there = target.same(_name(file), size, sha256)
        return there or target.write(_name(file), size, sha256, blocks(safe))
