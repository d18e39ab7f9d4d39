"""The proxies that a curation keeps: what the student learns from where the run asks for one."""

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
class Judged:
    """The proxies of a run by their verdict.

    Attributes:
        file: curation.json.
        curation: what it says.
        kept, dropped: in order of their index.
    """

    file: Path
    curation: Curation
    kept: list[Picture]
    dropped: list[Picture]


def read_curation(channel: Path) -> Curation:
    """What the stage curate found.

    Raises:
        ProxytuneError: ChannelMissing when curation.json is absent, is no JSON or does not fit its schema.
    """
    curation: Curation = read_record(
        channel,
        FILES.curation,
        "curation",
        channel=CHANNELS.curation,
        allowed=f"the {FILES.curation} that the stage curate wrote, unchanged",
        remedy=START_AGAIN,
    )
    return curation


def read_judged(proxies: Path, curation: Path) -> Judged:
    """The proxies that are kept and those that are dropped.

    Args:
        proxies: the channel with all shards.
        curation: the channel with curation.json.

    Raises:
        ProxytuneError: ProxiesIncomplete when those that were judged are not all there, or are others;
            ChannelMissing, ShardInvalid.
    """
    found = read_curation(curation)
    judged = Judged(curation / FILES.curation, found, [], [])
    for picture, verdict in zip(read_proxies(proxies, found["drawn"]), found["pictures"], strict=True):
        if picture.record.sha256 != verdict["sha256"]:
            raise ProxytuneError(
                "ProxiesIncomplete",
                what=f"The proxy {picture.record.index} is another picture than the one that was judged",
                given=f"SHA-256 {picture.record.sha256}",
                allowed=verdict["sha256"],
                remedy="run the stage curate again",
            )
        (judged.kept if verdict["kept"] else judged.dropped).append(picture)
    return judged
