"""The method at work on subjects that no setting was chosen on: faithful, and prompts are still followed."""

from pathlib import Path

import pytest

from dev.drawn_subjects.export import export_subject
from dev.drawn_subjects.subjects import subject_named
from dev.pipeline import Pipeline

MODELS = Path(__file__).parents[3] / "models" / "miniature"
# Three of the five: a third category and pattern each.
SUBJECTS = ("held-back-fish", "held-back-house", "held-back-robot")
REQUEST = {
    "preset": "draft",
    "proxies": 100,
    "proxyContexts": 0.5,
    "advanced": {"sample": {"picturesPerPrompt": 2}},
}
# Teacher's and student's palettes are nearer to the ground truth than those of their untuned selves by at
# least this factor. Measured: 9 and 7 (held-back-fish), 4.3 and 3.7 (held-back-house).
PALETTE_MARGIN = 2.0
CONTEXT_KEPT = 0.8


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_the_student_learns_the_subject_and_keeps_the_contexts(name, tmp_path):
    export_subject(subject_named(name), tmp_path / name, REQUEST)
    metrics = Pipeline(MODELS, tmp_path / "work", tmp_path / name).run()
    exact = {row["name"]: row["exact"] for row in metrics["rows"]}
    palette = {row: measures["palette"]["mean"] for row, measures in exact.items()}
    assert palette["student"] * PALETTE_MARGIN < palette["student-base"], palette
    assert palette["teacher"] * PALETTE_MARGIN < palette["teacher-base"], palette
    assert exact["student"]["context"]["mean"] >= CONTEXT_KEPT
