"""Dataset reader: many shards as one set of images, complete and without repeats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.names import CHUNKS
from proxytune.images import shard
from proxytune.images.shard import Picture

# At most this many missing indexes are listed in a message.
LISTED = 5


def read_all(folder: Path) -> list[Picture]:
    """Read all images in a channel's folder, sorted by variant (base first) and index.

    A later attempt of a stage may have generated an index again. Both images have the same seed; the one in
    the shard that comes first by name is used.

    Raises:
        ProxytuneError: ShardInvalid, also when two images of one index come from different requests.
    """
    found: dict[tuple[str, str, int], Picture] = {}
    for path in sorted(folder.rglob(f"*{CHUNKS.shard_ending}")):
        for picture in shard.read(path):
            record = picture.record
            first = found.setdefault((record.stage, record.variant, record.index), picture)
            # The PNG may differ by a grey level when another instance type generated it; nothing else may.
            if replace(first.record, sha256=record.sha256) != record:
                raise shard.invalid(
                    path, f"its image {record.index} has another request than in {first.shard.name}"
                )
    return [found[key] for key in sorted(found)]


def read_proxies(folder: Path, count: int) -> list[Picture]:
    """Read the proxies 0 to `count` - 1, in order.

    Raises:
        ProxytuneError: ProxiesIncomplete when an index is missing or not below `count`, or an image is not a
            proxy; ShardInvalid.
    """
    pictures = read_all(folder)
    foreign = [p for p in pictures if p.record.stage != "synthesize" or p.record.variant != "tuned"]
    if foreign:
        record = foreign[0].record
        raise _incomplete(
            "Not all images are proxies", f"stage {record.stage}, variant {record.variant}", count
        )
    indexes = {picture.record.index for picture in pictures}
    missing = [index for index in range(count) if index not in indexes]
    if missing:
        listed = ", ".join(map(str, missing[:LISTED])) + (", ..." if len(missing) > LISTED else "")
        raise _incomplete(f"{len(missing)} proxies are missing", f"no index {listed}", count)
    if len(indexes) > count:
        raise _incomplete("There are more proxies than planned", f"index {max(indexes)}", count)
    return pictures


def _incomplete(what: str, given: str, count: int) -> ProxytuneError:
    return ProxytuneError(
        "ProxiesIncomplete",
        what=what,
        given=given,
        allowed=f"each index from 0 to {count - 1} once",
        remedy="run the stage synthesize again; it generates only the missing images",
    )
