from __future__ import annotations

import numpy as np
import pytest
from drawings import draw

from proxytune.metrics.encoders import ClipEncoder, DinoEncoder
from proxytune.metrics.scores import (
    among_themselves,
    evenly,
    retained,
    summarize,
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
    assert summarize([scores[place] for place in shuffled], 5) == summarize(scores, 5)


def test_the_interval_is_reproducible_and_contains_the_mean() -> None:
    values = list(np.random.default_rng(1).normal(0.6, 0.1, 80))
    first = summarize(values, 7)
    assert summarize(values, 7) == first
    assert summarize(values, 8) != first
    assert first.low < first.mean < first.high
    # The interval of normal theory; for 80 normally distributed values the bootstrap must be close to it.
    half = 1.96 * np.std(values) / np.sqrt(len(values))
    assert first.high - first.low == pytest.approx(2 * half, rel=0.1)


def test_the_interval_of_one_value_is_that_value() -> None:
    score = summarize([0.3], 0)
    assert (score.low, score.mean, score.high) == (0.3, 0.3, 0.3)


def test_the_interval_of_equal_values_has_no_width() -> None:
    score = summarize([0.1] * 7, 0)
    assert (score.low, score.mean, score.high) == (0.1, 0.1, 0.1)


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
