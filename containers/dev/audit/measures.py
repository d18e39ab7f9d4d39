"""Scores by each measure of each image of the audit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from dev.audit.defects import AuditSubject
from proxytune.drawn_world.ground_truth.measures import measure
from proxytune.masks.segmenter import Segmenter
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder
from proxytune.metrics.masc import Encoded, SiglipEncoder, scene_of, score
from proxytune.metrics.scores import to_prompts, to_references

Floats = npt.NDArray[np.float64]

IDENTITY = ("masc_identity", "dino", "clip_i", "palette")
"""Measures of the subject; more is better, so the palette distance is negated."""
PROMPT = ("masc_prompt", "clip_t")
"""Measures of the prompt."""


class Measures:
    """The measures of a run, with the encoders of a folder of small models.

    Args:
        models: holds clip-miniature, clipseg-miniature, dino-miniature and siglip-miniature.
    """

    def __init__(self, models: Path) -> None:
        device = torch.device("cpu")
        self._clip = ClipEncoder(models / "clip-miniature", device)
        self._dino = DinoEncoder(models / "dino-miniature", device)
        self._siglip = SiglipEncoder(models / "siglip-miniature", device)
        self._segmenter = Segmenter(models / "clipseg-miniature", device)

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
            **self._masc(subject, images),
        }

    def _masc(self, subject: AuditSubject, images: list[Image.Image]) -> dict[str, Floats]:
        """MaSC with the masks that a run would have: the segmenter's, not the true ones."""
        category = subject.appearance.category

        def encoded(of: Sequence[Image.Image]) -> list[Encoded]:
            return self._siglip.images(of, self._segmenter.find(of, category))

        references = encoded(subject.references)
        texts = self._siglip.texts(
            [scene_of(f"a {category} {one.requested}", category) for one in subject.planted]
        )
        scores = [
            score(self._siglip, references, image, text)
            for image, text in zip(encoded(images), texts, strict=True)
        ]
        # Without a score the image shows nothing of the subject, or nothing else.
        return {
            "masc_identity": np.array([-1.0 if one.identity is None else one.identity for one in scores]),
            "masc_prompt": np.array([-1.0 if one.prompt is None else one.prompt for one in scores]),
        }
