"""Types of losses.json of a training.

Written by `npm run schemas` from lib/core; do not edit.
"""

from __future__ import annotations

from typing import Literal, TypedDict


class LossesPoint(TypedDict):
    """Fields of losses point."""

    # The last step of these, from 1.
    step: int
    # Mean over the steps since the point before.
    loss: float


class Losses(TypedDict):
    """Fields of losses."""

    version: Literal[1]
    # Steps of a point; the last may have fewer.
    every: int
    points: list[LossesPoint]
