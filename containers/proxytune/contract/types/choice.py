"""Types of choice.json of the stage teach.

Written by `npm run schemas` from lib/core; do not edit.
"""

from __future__ import annotations

from typing import Literal, TypedDict


class ChoiceGuards(TypedDict):
    """Fields of choice guards."""

    prompt: float | None
    diversity: float | None


class ChoicePointPicture(TypedDict):
    """Fields of choice point picture."""

    prompt: str
    seed: int
    # DINO similarity to the references, their mean.
    fidelity: float
    # Relative to the folder of the file that holds this.
    file: str


class ChoicePoint(TypedDict):
    """Fields of choice point."""

    # 0 is the untuned model.
    step: int
    # DINO similarity of the validation images to the references, their mean.
    fidelity: float
    # CLIP similarity of the validation images in a context to their prompt; null without such images.
    prompt: float | None
    # 1 less the DINO similarity of the validation images of one prompt to each other; null of fewer than 2.
    diversity: float | None
    # True where it keeps enough prompt following and diversity.
    guarded: bool
    pictures: list[ChoicePointPicture]


class Choice(TypedDict):
    """Fields of choice."""

    version: Literal[1]
    # The step of the selected checkpoint.
    chosen: int
    reason: str
    # The least that was demanded; null where there was nothing to demand it from.
    guards: ChoiceGuards
    points: list[ChoicePoint]
