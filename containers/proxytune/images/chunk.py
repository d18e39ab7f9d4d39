"""A chunk: a request for a few images, which a batch transform receives as one object."""

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
    """The request for one image: its index within its stage, its prompt and its seed."""

    index: int
    prompt: str
    seed: int


@dataclass(frozen=True)
class Chunk:
    """A validated chunk.

    Attributes:
        stage: synthesize, sample-teacher or sample-student.
        variant: base (untuned model) or tuned (with the adapter).
        size: side of the square images in pixels.
        batch_size: changes the speed, not the images.
        sampler: {"kind": "diffusion", "steps", "guidance"} or
            {"kind": "autoregressive", "guidance", "temperature", "top_k", "top_p"}.
        stage_pictures: number of images of the whole stage, so that all its chunks decide alike what depends
            on it; None where it is not known.
    """

    stage: TransformStage
    chunk: int
    variant: Variant
    size: int
    batch_size: int
    sampler: dict[str, Any]
    pictures: tuple[PictureRequest, ...]
    stage_pictures: int | None = None


def parse(body: bytes) -> Chunk:
    """Parse and validate a chunk.

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
        raise invalid("The chunk has the same index more than once")
    return Chunk(
        stage=given["stage"],
        chunk=given["chunk"],
        variant=given["variant"],
        size=given["size"],
        batch_size=given["batch_size"],
        sampler=dict(given["sampler"]),
        pictures=pictures,
        stage_pictures=given.get("stage_pictures"),
    )


def read_chunks(folder: Path) -> list[tuple[str, Chunk]]:
    """Read the chunk objects of a folder, with their names, sorted by name.

    Raises:
        ProxytuneError: HyperparameterInvalid.
    """
    return [(file.name, parse(file.read_bytes())) for file in sorted(folder.glob(CHUNKS.pattern))]


def prompts_of(chunks: Iterable[tuple[str, Chunk]]) -> list[str]:
    """The distinct prompts of the chunks, in order."""
    return list(dict.fromkeys(picture.prompt for _, chunk in chunks for picture in chunk.pictures))


def invalid(what: str, *, given: str | None = None, allowed: str | None = None) -> ProxytuneError:
    """The error for a chunk that cannot be generated."""
    return ProxytuneError(
        "HyperparameterInvalid",
        what=what,
        given=given,
        allowed=allowed,
        remedy="send chunks in the form that this version of Proxytune plans",
    )
