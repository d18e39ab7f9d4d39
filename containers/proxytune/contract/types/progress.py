"""Types of progress.json of a training job.

Written by `npm run schemas` from lib/core; do not edit.
"""

from __future__ import annotations

from typing import Literal, TypedDict

TrainingStage = Literal["teach", "curate", "learn", "evaluate", "import-model"]


class Progress(TypedDict):
    """Fields of progress."""

    stage: TrainingStage
    job: str
    # What the job does now, in a few words.
    phase: str
    step: int
    total: int
    # Mean of the last steps; null where there is none.
    loss: float | None
    # Steps per second.
    rate: float | None
    eta_seconds: float | None
    # Of the GPU when there is one, else of the process.
    peak_memory_mib: float | None
    # Step of the checkpoint this attempt began with.
    resumed_from: int | None
    # UTC, ISO 8601.
    updated_at: str
