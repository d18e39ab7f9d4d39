"""Scores by each measure of each image of the audit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from dev.audit.defects import AuditSubject
from proxytune.drawn_world.ground_truth.measures import measure
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder
from proxytune.metrics.scores import to_prompts, to_references

Floats = npt.NDArray[np.float64]

IDENTITY = ("dino", "clip_i", "palette")
"""Measures of the subject; more is better, so the palette distance is negated."""
PROMPT = ("clip_t",)
"""Measures of the prompt."""


class Measures:
    """The measures of a run, with the encoders of a folder of small models.

    Args:
        models: holds clip-miniature and dino-miniature.
    """

    def __init__(self, models: Path) -> None:
        device = torch.device("cpu")
        self._clip = ClipEncoder(models / "clip-miniature", device)
        self._dino = DinoEncoder(models / "dino-miniature", device)

    def of(self, subject: AuditSubject) -> dict[str, Floats]:
        """By measure, one number for each planted image."""
        images = [one.image for one in subject.planted]
        clip, dino = self._clip.pictures(images), self._dino.pictures(images)
        prompts = [f"a {subject.appearance.category} {one.requested}" for one in subject.planted]
        exact = measure(images, subject.appearance, [one.requested for one in subject.planted])
        return {
            "dino": np.array(to_references(dino, self._dino.pictures(subject.references))),
            "clip_i": np.array(to_references(clip, self._clip.pictures(subject.references))),
            "clip_t": np.array(to_prompts(clip, self._clip.texts(prompts))),
            "palette": -np.array([one.palette for one in exact]),
        }
