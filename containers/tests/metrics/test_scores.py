from __future__ import annotations

import numpy as np
import pytest
from drawings import draw

from proxytune.metrics.encoders import ClipEncoder, DinoEncoder
from proxytune.metrics.scores import (
    among_themselves,
    diversity,
    evenly,
    nearest,
    nearest_other,
    retained,
    to_prompts,
    to_references,
)

PICTURES = [draw(seed) for seed in range(6)]


def unit(*rows: list[float]) -> np.ndarray:
    vectors = np.asarray(rows, dtype=np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_an_image_compared_with_itself_scores_one(clip: ClipEncoder, dino: DinoEncoder) -> None:
    for encoder in (clip, dino):
        vectors = encoder.pictures(PICTURES[:1])
        assert to_references(vectors, vectors) == [1.0]


def test_a_score_is_the_mean_over_all_references() -> None:
    references = unit([1, 0], [0, 1])
    assert to_references(unit([1, 0], [1, 1]), references) == [0.5, pytest.approx(np.sqrt(0.5), abs=1e-6)]


def test_a_photo_is_not_compared_with_itself() -> None:
    references = unit([1, 0], [0, 1], [1, 0])
    assert among_themselves(references) == [0.5, 0.0, 0.5]


def test_equal_photos_score_one_among_themselves(dino: DinoEncoder) -> None:
    assert among_themselves(dino.pictures([PICTURES[0]] * 3)) == [1.0, 1.0, 1.0]


def test_each_image_is_compared_with_its_own_prompt() -> None:
    assert to_prompts(unit([1, 0], [0, 1]), unit([1, 0], [1, 0])) == [1.0, 0.0]


def test_scores_do_not_depend_on_the_order(clip: ClipEncoder) -> None:
    vectors = clip.pictures(PICTURES)
    references, pictures = vectors[:3], vectors[3:]
    shuffled = [2, 0, 1]
    scores = to_references(pictures, references)
    assert to_references(pictures, references[shuffled]) == scores
    assert to_references(pictures[shuffled], references) == [scores[place] for place in shuffled]


def test_the_nearest_reference_is_found() -> None:
    references = unit([1, 0], [0, 1], [1, 1])
    near = nearest(unit([3, 1], [0, 2]), references)
    assert near == [(0, pytest.approx(3 / np.sqrt(10), abs=1e-6)), (1, 1.0)]


def test_a_reference_is_not_its_own_nearest() -> None:
    references = unit([1, 0], [0, 1], [2, 1])
    root = np.sqrt(5)
    expected = [(2, 2 / root), (2, 1 / root), (0, 2 / root)]
    assert nearest_other(references) == [
        (place, pytest.approx(cosine, abs=1e-6)) for place, cosine in expected
    ]


def test_diversity_is_within_a_prompt_and_needs_two_images() -> None:
    vectors = unit([1, 0], [1, 0], [0, 1], [1, 0], [1, 1])
    assert diversity(vectors, ["a", "a", "a", "b", "c"]) == [0.5, 0.5, 1.0, None, None]


def test_positions_are_even_and_begin_with_the_first() -> None:
    assert evenly(3, 200) == [0, 1, 2]
    assert evenly(10, 5) == [0, 2, 4, 6, 8]
    chosen = evenly(1000, 200)
    assert len(set(chosen)) == 200
    assert chosen[0] == 0
    assert chosen[-1] == 995


def test_a_share_of_a_score_near_zero_is_undefined() -> None:
    assert retained(0.4, 0.8) == 0.5
    assert retained(0.4, 0.0) is None
    assert retained(0.4, -0.3) is None
