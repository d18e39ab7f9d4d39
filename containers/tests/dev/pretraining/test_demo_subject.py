"""The demo's subject: what its report promises to whoever runs `npm run demo`."""

import json
from pathlib import Path

import pytest

from dev.pipeline import Pipeline

REPOSITORY = Path(__file__).parents[4]
EXAMPLE = REPOSITORY / "examples" / "miniature"
MODELS = REPOSITORY / "containers" / "models" / "miniature"
# Likeness to the photos and colour distance to the ground truth; measured: 0.73 and 5.8. The first edition's
# student had 0.78 and 10.7; its encoder gives these images 0.78 too, so the new one is stricter.
DINO, PALETTE = 0.7, 10.7
# An outline counts as right from this overlap on; the photos' own is 0.996.
OUTLINE = 0.85
# In a context that no photo shows, of four images.
RIGHT_AT_NIGHT = 3


@pytest.mark.slow
def test_the_demos_student_has_likeness_colours_and_outline(tmp_path):
    pipeline = Pipeline(MODELS, tmp_path, EXAMPLE)
    metrics = pipeline.run()
    row = next(row for row in metrics["rows"] if row["name"] == "student")
    assert row["dino"]["mean"] >= DINO
    assert row["exact"]["palette"]["mean"] <= PALETTE
    night = [
        picture["exact"]["shape"]
        for picture in metrics["pictures"]
        if picture["row"] == "student" and picture["prompt"].endswith("at night")
    ]
    assert len(night) == 4, json.dumps(night)
    assert sum(shape >= OUTLINE for shape in night) >= RIGHT_AT_NIGHT, night
