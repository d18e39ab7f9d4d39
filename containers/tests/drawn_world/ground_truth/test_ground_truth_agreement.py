"""The exact measures and the trained encoders agree about which pictures are more like the subject."""

from pathlib import Path

import numpy as np
import pytest
import torch
from constructed import THREE, constructed
from softened import sharp

from dev.drawn_subjects.subjects import subjects_for
from proxytune.drawn_world.ground_truth.measures import measure
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder
from proxytune.metrics.scores import to_references

MODELS = Path(__file__).parents[3] / "models" / "miniature"
ENCODERS = {"clip_i": (ClipEncoder, "clip-miniature"), "dino": (DinoEncoder, "dino-miniature")}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures():
    """Of each held-back subject: its references, and the three groups that are compared with them."""
    return [
        (
            [sharp(one) for one in subject.references()],
            [[sharp(one) for one in of] for of in constructed(subject)],
        )
        for subject in subjects_for("held-back")
    ]


@pytest.fixture(scope="module")
def distances(pictures):
    """(subjects, 3) mean palette distance of each group to the ground truth."""
    return np.array(
        [
            [
                np.mean([one.palette for one in measure(of, subject.appearance, [None] * len(of))])
                for of in three
            ]
            for subject, (_, three) in zip(subjects_for("held-back"), pictures, strict=True)
        ]
    )


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_and_the_measures_rank_three_subjects_alike(name, pictures, distances):
    kind, folder = ENCODERS[name]
    encoder = kind(MODELS / folder, CPU)
    likeness = np.array(
        [
            [np.mean(to_references(encoder.pictures(of), encoder.pictures(references))) for of in three]
            for references, three in pictures
        ]
    )
    assert likeness.shape == distances.shape == (len(pictures), len(THREE))
    # Nothing is nearer to a subject than itself; between the other two single subjects may be close.
    assert (likeness[:, 0] > likeness[:, 1:].max(1)).all(), likeness
    same, near, other = likeness.mean(0)
    assert same > near > other, likeness
    assert list(np.argsort(-likeness.mean(0))) == list(np.argsort(distances.mean(0)))
