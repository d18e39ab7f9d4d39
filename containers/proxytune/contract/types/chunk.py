"""Types of one request for pictures.

Written by `npm run schemas` from lib/core; do not edit.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

TransformStage = Literal["synthesize", "sample-teacher", "sample-student"]
Variant = Literal["base", "tuned"]


class DiffusionSampler(TypedDict):
    """Fields of diffusion sampler."""

    kind: Literal["diffusion"]
    # Denoising steps.
    steps: int
    # 1 is none.
    guidance: float


class AutoregressiveSampler(TypedDict):
    """Fields of autoregressive sampler."""

    kind: Literal["autoregressive"]
    # 1 is none.
    guidance: float
    temperature: float
    # 0 keeps every token.
    top_k: int
    top_p: float


Sampler = DiffusionSampler | AutoregressiveSampler


class PictureRequest(TypedDict):
    """Fields of picture request."""

    # Number of the picture within its stage; unique over all chunks.
    index: int
    prompt: str
    # The picture depends on this seed, not on its batch.
    seed: int


class Chunk(TypedDict):
    """Fields of chunk."""

    version: Literal[1]
    stage: TransformStage
    chunk: int
    variant: Variant
    # Side of the square picture in pixels.
    size: int
    # Pictures drawn at once; changes speed, not pictures.
    batch_size: int
    sampler: Sampler
    # Number of images of the whole stage, which decides whether compiling is worth its time.
    stage_pictures: NotRequired[int]
    pictures: list[PictureRequest]
