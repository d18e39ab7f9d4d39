"""Sets of images of which a known share is copied from a photo, or repeats another image.

Copying and collapse are defects of a set and not of an image: every image of such a set is right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image

from dev.audit.defects import AuditSubject, as_image
from dev.audit.ranks import detection, interval_over_subjects, rank_correlation
from proxytune.drawn_world.render import render
from proxytune.drawn_world.scene import BRIGHTNESS, CONTEXTS, Pose, sample_pose
from proxytune.metrics.encoders import DinoEncoder, Vectors
from proxytune.metrics.scores import diversity, nearest, nearest_other

PROMPTS, PER_PROMPT = 2, 4
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the images of each prompt."""
NOISE = 2
"""Levels by which each value of a copy is off at most, so that no copy equals its photo."""


@dataclass(frozen=True)
class SetRow:
    """Knowledge of a measure of sets about one kind.

    Attributes:
        kind: copied or collapsed.
        measure: its name.
        agreement: rank correlation with the share of such images, and its 95 % interval over subjects.
        detected: how often it tells a set of such images only from one without any; 0.5 is chance.
    """

    kind: str
    measure: str
    agreement: tuple[float, float, float]
    detected: float


@dataclass(frozen=True)
class Sets:
    """All sets: subject, kind and share of each, and the values of each measure, where more is worse."""

    subject: list[int]
    kind: list[str]
    share: list[float]
    said: dict[str, list[float]]


def measured_sets(subjects: Sequence[AuditSubject], dino: DinoEncoder) -> Sets:
    """Render and measure the sets of every subject; each image is encoded once."""
    sets = Sets([], [], [], {"nearest": [], "copies": [], "diversity": []})
    for number, subject in enumerate(subjects):
        photos = dino.pictures(subject.references)
        between = max(similarity for _, similarity in nearest_other(photos))
        for kind, share, vectors, prompts in _sets(subject, dino):
            sets.subject.append(number)
            sets.kind.append(kind)
            sets.share.append(share)
            near = [similarity for _, similarity in nearest(vectors, photos)]
            apart = [one for one in diversity(vectors, prompts) if one is not None]
            sets.said["nearest"].append(math.fsum(near) / len(near))
            sets.said["copies"].append(sum(one > between for one in near) / len(near))
            sets.said["diversity"].append(-math.fsum(apart) / len(apart))
    return sets


def set_rows(sets: Sets) -> list[SetRow]:
    """Compute the rows of the table."""
    return [_row(sets, kind, measure) for kind in ("copied", "collapsed") for measure in sets.said]


def sets_as_text(rows: Sequence[SetRow], sets: Sets) -> str:
    """Format the table in Markdown."""
    lines = [
        f"{len(sets.kind)} sets of {PROMPTS * PER_PROMPT} images of {len(set(sets.subject))} subjects",
        "",
        "| Sets | Measure | Agreement (95 %) | Detected |",
        "|---|---|---|---|",
    ]
    for row in rows:
        agreement = "{:.2f} ({:.2f} to {:.2f})".format(*row.agreement)
        lines.append(f"| {row.kind} | {row.measure} | {agreement} | {row.detected:.2f} |")
    return "\n".join(lines)


def _row(sets: Sets, kind: str, measure: str) -> SetRow:
    of = np.flatnonzero(np.array(sets.kind) == kind)
    share, said = np.array(sets.share)[of], np.array(sets.said[measure])[of]

    def agreement(where: npt.NDArray[np.intp]) -> float:
        return rank_correlation(said[where], share[where])

    interval = interval_over_subjects(np.array(sets.subject)[of].tolist(), agreement)
    return SetRow(
        kind,
        measure,
        (agreement(np.arange(len(of))), *interval),
        detection(said[share == 1], said[share == 0]),
    )


def _sets(subject: AuditSubject, dino: DinoEncoder) -> Iterator[tuple[str, float, Vectors, list[str]]]:
    """Kind, share, vectors and prompts of each set of a subject."""
    rng = Random(f"sets of {subject.name}")
    contexts = rng.sample(CONTEXTS, PROMPTS)
    prompts = [context for context in contexts for _ in range(PER_PROMPT)]

    def drawn(poses: Sequence[Pose]) -> Vectors:
        return dino.pictures([as_image(render(subject.appearance, pose)) for pose in poses])

    poses = [sample_pose(rng, context) for context in prompts]
    brightness = [round(rng.uniform(-BRIGHTNESS, BRIGHTNESS)) for _ in prompts]
    # All images of a prompt in the pose of its first, a little lighter or darker.
    repeated = [replace(poses[at - at % PER_PROMPT], brightness=level) for at, level in enumerate(brightness)]
    clean = drawn(poses)
    defective = {
        "copied": dino.pictures([_copy(rng.choice(subject.references), rng) for _ in prompts]),
        "collapsed": drawn(repeated),
    }
    for kind, vectors in defective.items():
        for share in SHARES:
            taken = [at % PER_PROMPT < round(share * PER_PROMPT) for at in range(len(prompts))]
            yield kind, share, np.where(np.array(taken)[:, None], vectors, clean), prompts


def _copy(photo: Image.Image, rng: Random) -> Image.Image:
    pixels = np.asarray(photo, dtype=np.int16)
    noise = np.random.default_rng(rng.getrandbits(32)).integers(-NOISE, NOISE + 1, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))
