"""A shard: a tar of `<six-digit index>.png` and `.json` pairs, whose bytes are reproducible."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.types.picture_record import PictureRecord

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Record:
    """The JSON next to an image (`pictureRecord` in lib/core/contract/pictures.ts)."""

    index: int
    prompt: str
    seed: int
    variant: str
    stage: str
    size: int
    model: str
    sha256: str


@dataclass(frozen=True)
class Picture:
    """An image in a shard on disk; its PNG is read on demand, as datasets can be larger than memory."""

    record: Record
    shard: Path
    offset: int
    length: int

    def png(self) -> bytes:
        """Read the PNG file's bytes."""
        with self.shard.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)

    def image(self) -> Image.Image:
        """Decode the image as RGB."""
        from PIL import Image

        with Image.open(io.BytesIO(self.png())) as opened:
            return opened.convert("RGB")


def write(pictures: Iterable[tuple[bytes, dict[str, Any]]]) -> bytes:
    """Pack images into a shard.

    Args:
        pictures: PNG bytes and the record without its sha256, which is added here.

    Returns:
        The tar; its entries are sorted by index, without times, owners or names of this machine.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for png, facts in sorted(pictures, key=lambda picture: picture[1]["index"]):
            record = {**facts, "sha256": hashlib.sha256(png).hexdigest()}
            name = f"{record['index']:06d}"
            _add(tar, f"{name}.png", png)
            _add(tar, f"{name}.json", json.dumps(record, sort_keys=True).encode("utf-8"))
    return buffer.getvalue()


def read(path: Path) -> list[Picture]:
    """Read a shard and verify it: layout, pairs, records, and the hash of every PNG.

    Raises:
        ProxytuneError: ShardInvalid.
    """
    spans: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(path, mode="r:") as tar:
            for member in tar:
                if not member.isfile() or member.name in spans:
                    raise invalid(path, f"the entry {member.name} is not a file or occurs twice")
                spans[member.name] = (member.offset_data, member.size)
    except tarfile.TarError as error:
        raise invalid(path, f"it is not a complete tar: {error}") from error
    names = sorted({name.rpartition(".")[0] for name in spans})
    expected = {f"{name}.{kind}" for name in names for kind in ("png", "json")}
    if not names or expected != set(spans):
        unpaired = sorted(expected ^ set(spans))
        raise invalid(
            path, f"the pair of {unpaired[0]} is incomplete" if unpaired else "it contains no images"
        )
    return [_picture(path, name, spans) for name in names]


def invalid(path: Path, why: str) -> ProxytuneError:
    """The error for a shard that cannot be used."""
    return ProxytuneError(
        "ShardInvalid",
        what=f"The shard {path.name} cannot be used: {why}",
        allowed="a tar of pairs <index>.png and <index>.json, as the stage writes it",
        remedy="generate the images of this chunk again",
    )


def _picture(path: Path, name: str, spans: dict[str, tuple[int, int]]) -> Picture:
    with path.open("rb") as file:
        texts = {}
        for kind in ("json", "png"):
            offset, length = spans[f"{name}.{kind}"]
            file.seek(offset)
            texts[kind] = file.read(length)
    try:
        facts: PictureRecord = json.loads(texts["json"])
    except ValueError as error:
        raise invalid(path, f"{name}.json is not valid JSON: {error}") from error
    wrong = schema.check("picture-record", facts)
    if wrong is not None:
        raise invalid(path, f"{name}.json does not fit its schema: {wrong}")
    record = Record(**facts)
    if f"{record.index:06d}" != name:
        raise invalid(path, f"{name}.json has index {record.index}")
    if hashlib.sha256(texts["png"]).hexdigest() != record.sha256:
        raise invalid(path, f"the SHA-256 of {name}.png does not match its record")
    return Picture(record, path, *spans[f"{name}.png"])


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o644
    tar.addfile(entry, io.BytesIO(content))
