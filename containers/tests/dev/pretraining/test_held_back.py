"""The method at work on subjects that no setting was chosen on: faithful, and prompts are still followed."""

import json
from pathlib import Path

import pytest

from dev.customization import Customization, Road
from dev.drawn_subjects.subjects import subject_named
from proxytune.drawn_world.ground_truth.measures import measure

REPOSITORY = Path(__file__).parents[4]
MODELS = REPOSITORY / "containers" / "models" / "miniature"
CATALOGUE = REPOSITORY / "containers" / "dev" / "models.json"
# Three of the five: a third category and pattern each.
SUBJECTS = ("held-back-fish", "held-back-house", "held-back-robot")
# Teacher's and student's palettes are nearer to the truth than those of their untuned selves by at least this
# factor. Measured: 9 and 7 (fish), 4.3 and 3.7 (house).
PALETTE_MARGIN = 2.0
CONTEXT_KEPT = 0.8


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_the_student_learns_the_subject_and_keeps_the_contexts(name, tmp_path):
    catalogue = json.loads(CATALOGUE.read_text("utf-8"))
    settings = Customization(
        teacher=catalogue["sdxl-miniature"]["recipes"]["draft"],
        student=catalogue["llamagen-miniature"]["recipes"]["draft"],
        proxies=100,
        in_context=0.5,
        copies=2,
    )
    subject = subject_named(name)
    found = {
        row: measure(drawn.pictures, subject.appearance, drawn.contexts)
        for row, drawn in Road(MODELS, tmp_path, subject, settings).run().items()
    }
    palette = {row: sum(one.palette for one in scores) / len(scores) for row, scores in found.items()}
    assert palette["student"] * PALETTE_MARGIN < palette["student-base"], palette
    assert palette["teacher"] * PALETTE_MARGIN < palette["teacher-base"], palette
    student = found["student"]
    assert sum(bool(one.context) for one in student) / len(student) >= CONTEXT_KEPT
