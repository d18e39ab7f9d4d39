"""The scores of a run's images: each image is opened once, for every measure and the report's files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from proxytune.contract.progress import ProgressFile
from proxytune.evaluation.encoders import Encoders
from proxytune.evaluation.exact import ExactScorer
from proxytune.evaluation.pictures import ScoredPicture, View, save_view
from proxytune.metrics.encoders import ClipEncoder, Vectors
from proxytune.metrics.masc import MascScore
from proxytune.metrics.pictures import Picture, open_picture
from proxytune.metrics.scores import (
    among_themselves,
    diversity,
    nearest,
    nearest_other,
    to_prompts,
    to_references,
)

if TYPE_CHECKING:
    from proxytune.drawn_world.ground_truth.measures import Exact

# Images that are open at once, and the encoders' batch: 32 of 1024 pixels take 100 MB.
BATCH = 32


@dataclass(frozen=True)
class Encoded:
    """Per image, in order: unit vectors, exact measures and MaSC if there are any, and its files."""

    clip: Vectors
    dino: Vectors
    exact: list[Exact | None]
    masc: list[MascScore | None]
    dreamsim: Vectors | None
    views: list[View]


def encode(
    pictures: Sequence[Picture],
    encoders: Encoders,
    score_exactly: ExactScorer,
    report: Path,
    progress: ProgressFile,
) -> Encoded:
    """Open every image once: for both encoders, the exact measures, and the files of the report."""
    clip_parts, dino_parts, dreamsim_parts = [], [], []
    exact: list[Exact | None] = []
    of_masc: list[MascScore | None] = []
    views: list[View] = []
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        contents = [picture.read() for picture in batch]
        opened = [open_picture(picture, content) for picture, content in zip(batch, contents, strict=True)]
        clip_parts.append(encoders.clip.pictures(opened, BATCH))
        dino_parts.append(encoders.dino.pictures(opened, BATCH))
        if encoders.dreamsim is not None:
            dreamsim_parts.append(encoders.dreamsim.pictures(opened, BATCH))
        exact += score_exactly(opened, [picture.prompt for picture in batch])
        of_masc += [None] * len(batch) if encoders.masc is None else encoders.masc(batch, opened)
        for picture, content, image in zip(batch, contents, opened, strict=True):
            views.append(save_view(picture, content, image, report))
        if progress.due():
            progress.write("scoring images", start + len(batch))
    joined = np.concatenate(dreamsim_parts) if dreamsim_parts else None
    return Encoded(np.concatenate(clip_parts), np.concatenate(dino_parts), exact, of_masc, joined, views)


def score(pictures: Sequence[Picture], encoded: Encoded, clip: ClipEncoder) -> list[ScoredPicture]:
    """Score every image; a single photo cannot be compared with others and is left out."""
    of_row: dict[str, list[int]] = {}
    for position, picture in enumerate(pictures):
        of_row.setdefault(picture.row, []).append(position)
    photos = of_row["photos"]
    texts = _text_vectors(pictures, clip)
    scored: list[ScoredPicture] = []
    for row, positions in of_row.items():
        members = [pictures[position] for position in positions]
        clip_vectors, dino_vectors = encoded.clip[positions], encoded.dino[positions]
        clip_t: Sequence[float | None]
        if row == "photos":
            if len(photos) == 1:
                continue
            clip_i, dino = among_themselves(clip_vectors), among_themselves(dino_vectors)
            clip_t, near = [None] * len(photos), nearest_other(dino_vectors)
        else:
            clip_i = to_references(clip_vectors, encoded.clip[photos])
            dino = to_references(dino_vectors, encoded.dino[photos])
            clip_t = to_prompts(clip_vectors, np.stack([texts[one.plain or ""] for one in members]))
            near = nearest(dino_vectors, encoded.dino[photos])
        alike = _dreamsim(encoded, positions, photos if row != "photos" else None)
        apart = diversity(dino_vectors, [one.prompt for one in members])
        scored += [
            ScoredPicture(
                pictures[at],
                encoded.views[at],
                clip_i[nth],
                clip_t[nth],
                dino[nth],
                near[nth],
                apart[nth],
                encoded.exact[at],
                encoded.masc[at],
                alike[nth],
            )
            for nth, at in enumerate(positions)
        ]
    return scored


def _dreamsim(encoded: Encoded, positions: list[int], photos: list[int] | None) -> Sequence[float | None]:
    """DreamSim of the images of a row to the photos; of photos, to each other."""
    if encoded.dreamsim is None:
        return [None] * len(positions)
    vectors = encoded.dreamsim[positions]
    return among_themselves(vectors) if photos is None else to_references(vectors, encoded.dreamsim[photos])


def _text_vectors(pictures: Sequence[Picture], clip: ClipEncoder) -> dict[str, Vectors]:
    plain = sorted({picture.plain for picture in pictures if picture.plain is not None})
    return dict(zip(plain, clip.texts(plain), strict=True))
