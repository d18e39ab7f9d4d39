"""Many shards as one set of pictures, whole and without repeats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.names import CHUNKS
from proxytune.images import shard
from proxytune.images.shard import Picture

# As many missing indexes as fit a message that people read.
SHOWN = 5


def read_all(folder: Path) -> list[Picture]:
    """All pictures below a channel's folder, ordered by variant (base first) and index.

    A later attempt of a stage may have drawn an index again. Both are the same picture by their seed; the one
    whose shard comes first by name is kept.

    Raises:
        ProxytuneError: ShardInvalid, also when two pictures of one index were asked for differently.
    """
    found: dict[tuple[str, str, int], Picture] = {}
    for path in sorted(folder.rglob(f"*{CHUNKS.shard_ending}")):
        for picture in shard.read(path):
            record = picture.record
            first = found.setdefault((record.stage, record.variant, record.index), picture)
            # The PNG may differ in a grey level when another kind of instance drew it; nothing else may.
            if replace(first.record, sha256=record.sha256) != record:
                raise shard.invalid(
                    path, f"its picture {record.index} was asked for as another in {first.shard.name}"
                )
    return [found[key] for key in sorted(found)]


def read_proxies(folder: Path, count: int) -> list[Picture]:
    """The proxies 0 to `count` - 1 in order.

    Raises:
        ProxytuneError: ProxiesIncomplete when an index is missing, is beyond `count`, or is no proxy;
            ShardInvalid.
    """
    pictures = read_all(folder)
    foreign = [p for p in pictures if p.record.stage != "synthesize" or p.record.variant != "tuned"]
    if foreign:
        record = foreign[0].record
        raise _incomplete(
            "Not all pictures are proxies", f"stage {record.stage}, variant {record.variant}", count
        )
    indexes = {picture.record.index for picture in pictures}
    missing = [index for index in range(count) if index not in indexes]
    if missing:
        shown = ", ".join(map(str, missing[:SHOWN])) + (", ..." if len(missing) > SHOWN else "")
        raise _incomplete(f"{len(missing)} proxies are missing", f"no index {shown}", count)
    if len(indexes) > count:
        raise _incomplete("There are more proxies than were planned", f"index {max(indexes)}", count)
    return pictures


def _incomplete(what: str, given: str, count: int) -> ProxytuneError:
    return ProxytuneError(
        "ProxiesIncomplete",
        what=what,
        given=given,
        allowed=f"every index from 0 to {count - 1} once",
        remedy="run the stage synthesize again; what is drawn already is not drawn twice",
    )
