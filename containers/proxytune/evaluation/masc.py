"""MaSC in an evaluation: masks and scores of all images, where the run has the two models for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from PIL import Image

from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS
from proxytune.contract.types.hyperparameters import EvaluateHyperparameters
from proxytune.masks.segmenter import Segmenter
from proxytune.metrics.masc import Encoded, MascScore, SiglipEncoder, scene_of, score
from proxytune.metrics.pictures import Picture
from proxytune.training.device import default_device


class MascScorer:
    """Scores images against the references, batch by batch: an encoded image takes up to 5 MB.

    Args:
        siglip: encodes images and texts.
        segmenter: finds the subject.
        mask_prompt: what it looks for, `a dog`.
        category: the subject in plain words, removed from prompts.
        references: the photos, opened.
    """

    def __init__(
        self,
        siglip: SiglipEncoder,
        segmenter: Segmenter,
        mask_prompt: str,
        category: str,
        references: Sequence[Image.Image],
    ) -> None:
        self.siglip, self.segmenter = siglip, segmenter
        self._prompt, self._category = mask_prompt, category
        self._references = self._encode(references)

    def __call__(self, pictures: Sequence[Picture], images: Sequence[Image.Image]) -> list[MascScore]:
        """Score images in order; a photo is compared with the other photos, and has no prompt."""
        plain = [picture.plain for picture in pictures]
        known = [text for text in plain if text is not None]
        scenes = [scene_of(text, self._category) for text in known]
        vectors: Iterator[Any] = iter(self.siglip.texts(scenes)) if scenes else iter(())
        texts = [None if text is None else next(vectors) for text in plain]
        return [
            score(self.siglip, self._others(picture), image, text)
            for picture, image, text in zip(pictures, self._encode(images), texts, strict=True)
        ]

    def _others(self, picture: Picture) -> list[Encoded]:
        if picture.row != "photos":
            return self._references
        return [one for number, one in enumerate(self._references) if number != picture.index]

    def _encode(self, images: Sequence[Image.Image]) -> list[Encoded]:
        return self.siglip.images(images, self.segmenter.find(images, self._prompt))


def masc_scorer(
    folders: Folders,
    hyperparameters: EvaluateHyperparameters,
    category: str,
    references: Sequence[Image.Image],
) -> MascScorer | None:
    """Load what MaSC needs; None in a run without it.

    Raises:
        ProxytuneError: ChannelMissing, ModelMismatch.
    """
    folder, prompt = folders.optional_channel(CHANNELS.siglip), hyperparameters.get("mask_prompt")
    if folder is None or prompt is None:
        return None
    device = default_device()
    segmenter = Segmenter(folders.channel(CHANNELS.segmenter), device)
    siglip = SiglipEncoder(folder, device, hyperparameters.get("masc_patches"))
    return MascScorer(siglip, segmenter, prompt, category, references)
