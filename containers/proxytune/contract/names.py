"""Names and limits that TypeScript and Python both use: `names.json`, exported by lib/core.

TypeScript reads the same file in lib/core/contract/names.ts, which says what each entry is for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

FILE = Path(__file__).parent / "schemas" / "names.json"


@dataclass(frozen=True)
class Limits:
    """Limits that the plan prices by and the jobs keep.

    Attributes:
        photos: of a subject at most.
        proxies: of a run at most.
        steps: of a training at most.
        scored_proxies: proxies that are scored at most. The mean of 200 is known to about 0.01; more would
            only make the report large.
    """

    photos: int
    proxies: int
    steps: int
    scored_proxies: int


@dataclass(frozen=True)
class Channels:
    """Input channels of training jobs."""

    base: str
    adapter: str
    chunks: str
    plan: str
    references: str
    proxies: str
    curation: str
    clip: str
    dino: str
    segmenter: str
    siglip: str
    dreamsim: str
    masks: str
    proxy_masks: str
    class_images: str
    validation: str
    losses_teacher: str
    losses_student: str
    samples_teacher: str
    samples_student: str
    import_request: str


@dataclass(frozen=True)
class Files:
    """Files that one side writes and the other reads."""

    plan: str
    findings: str
    progress: str
    choice: str
    losses: str
    curation: str
    masks: str
    proxy_masks: str
    manifest: str
    import_request: str
    adapter_archive: str
    class_archive: str
    metrics: str
    report_page: str


@dataclass(frozen=True)
class FolderNames:
    """Folders below the checkpoint folder of the stage teach.

    `masks` is also below that of the stage curate, `losses` below that of the stage learn.
    """

    class_images: str
    validation: str
    masks: str
    losses: str


@dataclass(frozen=True)
class ChunkNames:
    """Parts of the name of a chunk object, and the ending of its shard."""

    prefix: str
    digits: int
    suffix: str
    shard_ending: str

    @property
    def pattern(self) -> str:
        """A glob that matches every chunk."""
        return f"{self.prefix}*{self.suffix}"


@dataclass(frozen=True)
class ReferenceNames:
    """Parts of the name of a reference, and the ending of a file that belongs to it under the same name."""

    prefix: str
    digits: int
    image: str
    caption: str
    mask: str


@dataclass(frozen=True)
class Streams:
    """Numbers of the seed streams."""

    proxies: int
    samples: int
    validation: int


@dataclass(frozen=True)
class Seeds:
    """How seeds are spread, so that no two images of a run share their noise."""

    stream_width: int
    streams: Streams


@dataclass(frozen=True)
class ReportSlots:
    """Places in the report that publish fills in."""

    stages: str
    job: str


@dataclass(frozen=True)
class EnvironmentVariables:
    """Variables of containers; all but the first two are of those that serve."""

    gpus: str
    emulated: str
    role: str
    family: str
    model: str
    base_model: str
    chunks: str
    failure_note: str
    bind_host: str


@dataclass(frozen=True)
class Names:
    """All of names.json; a field that is missing or unknown here is an error at import."""

    limits: Limits
    channels: Channels
    files: Files
    folders: FolderNames
    chunks: ChunkNames
    references: ReferenceNames
    stage_roles: dict[str, str]
    seeds: Seeds
    report_slots: ReportSlots
    environment: EnvironmentVariables


def parse(text: str) -> Names:
    """Read the text of names.json.

    Raises:
        TypeError: it has other fields than these, such as one that only TypeScript knows yet.
    """
    names: Names = _read(Names, json.loads(text))
    return names


def _read(kind: type, content: dict[str, Any]) -> Any:
    """A dataclass from an object whose keys are camelCase."""
    hints = get_type_hints(kind)
    nested = {field.name for field in fields(kind) if is_dataclass(hints[field.name])}
    return kind(
        **{
            name: _read(hints[name], value) if name in nested else value
            for name, value in ((_snake(key), value) for key, value in content.items())
        }
    )


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


NAMES = parse(FILE.read_text("utf-8"))
LIMITS = NAMES.limits
CHANNELS = NAMES.channels
FILES = NAMES.files
FOLDERS = NAMES.folders
CHUNKS = NAMES.chunks
REFERENCES = NAMES.references
STAGE_ROLES = NAMES.stage_roles
SEEDS = NAMES.seeds
REPORT_SLOTS = NAMES.report_slots
ENVIRONMENT = NAMES.environment
