"""Types of the JSON next to an image of a shard.

Written by `npm run schemas` from lib/core; do not edit.
"""

from __future__ import annotations

from typing import TypedDict

from proxytune.contract.types.chunk import TransformStage, Variant


class PictureRecord(TypedDict):
    """Fields of picture record."""

    index: int
    prompt: str
    seed: int
    variant: Variant
    stage: TransformStage
    size: int
    # Catalogue id of the base model.
    model: str
    # Of the PNG file.
    sha256: str
