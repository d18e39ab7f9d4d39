"""A chunk: the request for a few pictures that a batch transform is given as one object."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.names import CHUNKS
from proxytune.contract.types import chunk as types
from proxytune.contract.types.chunk import TransformStage, Variant


@dataclass(frozen=True)
class PictureRequest:
    """One picture: its number within its stage, what it shows, and the seed that alone decides how."""

    index: int
    prompt: str
    seed: int


@dataclass(frozen=True)
class Chunk:
    """A checked chunk.

    Attributes:
        stage: synthesize, sample-teacher or sample-student.
        variant: base (untuned model) or tuned (with the adapter).
        size: side of the square picture in pixels.
        batch_size: pictures drawn at once; changes the speed, not the pictures.
        sampler: {"kind": "diffusion", "steps", "guidance"} or
            {"kind": "autoregressive", "guidance", "temperature", "top_k", "top_p"}.
    """

    stage: TransformStage
    chunk: int
    variant: Variant
    size: int
    batch_size: int
    sampler: dict[str, Any]
    pictures: tuple[PictureRequest, ...]

    def batches(self) -> list[tuple[PictureRequest, ...]]:
        """The pictures in groups of at most `batch_size`."""
        starts = range(0, len(self.pictures), self.batch_size)
        return [self.pictures[start : start + self.batch_size] for start in starts]


def parse(body: bytes) -> Chunk:
    """Read and check a chunk.

    Raises:
        ProxytuneError: HyperparameterInvalid when it does not fit the schema or repeats an index.
    """
    try:
        given: types.Chunk = json.loads(body)
    except ValueError as error:
        raise invalid(f"The chunk is not valid JSON: {error}") from error
    wrong = schema.check("chunk", given)
    if wrong is not None:
        raise invalid(f"The chunk does not fit its schema: {wrong}")
    pictures = tuple(PictureRequest(**picture) for picture in given["pictures"])
    if len({picture.index for picture in pictures}) < len(pictures):
        raise invalid("The chunk asks for the same index more than once")
    return Chunk(
        stage=given["stage"],
        chunk=given["chunk"],
        variant=given["variant"],
        size=given["size"],
        batch_size=given["batch_size"],
        sampler=dict(given["sampler"]),
        pictures=pictures,
    )


def read_chunks(folder: Path) -> list[tuple[str, Chunk]]:
    """The chunk objects of a folder by name, in order.

    Raises:
        ProxytuneError: HyperparameterInvalid.
    """
    return [(file.name, parse(file.read_bytes())) for file in sorted(folder.glob(CHUNKS.pattern))]


def prompts_of(chunks: Iterable[tuple[str, Chunk]]) -> list[str]:
    """Every prompt of the chunks once, in their order."""
    return list(dict.fromkeys(picture.prompt for _, chunk in chunks for picture in chunk.pictures))


def invalid(what: str, *, given: str | None = None, allowed: str | None = None) -> ProxytuneError:
    """The error of a chunk that cannot be drawn."""
    return ProxytuneError(
        "HyperparameterInvalid",
        what=what,
        given=given,
        allowed=allowed,
        remedy="send chunks as the plan of this version of Proxytune writes them",
    )
