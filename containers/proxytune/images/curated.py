"""The proxies that a curation kept, which the student is trained on, and those that it dropped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.names import CHANNELS, FILES
from proxytune.contract.records import START_AGAIN, read_record
from proxytune.contract.types.curation import Curation
from proxytune.images.dataset import read_proxies
from proxytune.images.shard import Picture


@dataclass(frozen=True)
class CuratedProxies:
    """The proxies of a run with a curation.

    Attributes:
        file: curation.json.
        curation: its content.
        kept, dropped: sorted by index.
    """

    file: Path
    curation: Curation
    kept: list[Picture]
    dropped: list[Picture]


def read_curation(channel: Path) -> Curation:
    """Read the result of the stage curate.

    Raises:
        ProxytuneError: ChannelMissing when curation.json is missing, not JSON, or does not fit its schema.
    """
    curation: Curation = read_record(
        channel,
        FILES.curation,
        "curation",
        channel=CHANNELS.curation,
        allowed=f"the unchanged {FILES.curation} of the stage curate",
        remedy=START_AGAIN,
    )
    return curation


def read_curated_proxies(proxies: Path, curation: Path) -> CuratedProxies:
    """Read the proxies that were kept and those that were dropped.

    Args:
        proxies: the channel with all shards.
        curation: the channel with curation.json.

    Raises:
        ProxytuneError: ProxiesIncomplete when a curated proxy is missing or another image; ChannelMissing,
            ShardInvalid.
    """
    content = read_curation(curation)
    curated = CuratedProxies(curation / FILES.curation, content, [], [])
    for picture, result in zip(read_proxies(proxies, content["drawn"]), content["pictures"], strict=True):
        if picture.record.sha256 != result["sha256"]:
            raise ProxytuneError(
                "ProxiesIncomplete",
                what=f"The proxy {picture.record.index} is not the image that was curated",
                given=f"SHA-256 {picture.record.sha256}",
                allowed=result["sha256"],
                remedy="run the stage curate again",
            )
        (curated.kept if result["kept"] else curated.dropped).append(picture)
    return curated
