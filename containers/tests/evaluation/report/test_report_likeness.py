from __future__ import annotations

import json
from typing import Any

from proxytune.contract.folders import Folders
from proxytune.evaluation.report.likeness import comparisons, likeness_table

DIFFERENCE = {"mean": 0.05, "low": 0.02, "high": 0.08, "p": 0.01, "pairs": 25}


def test_the_table_has_the_rows_of_the_metrics_and_counts_photos_from_one(evaluated: Folders) -> None:
    rows: Any = json.loads((evaluated.model / "metrics.json").read_text())["rows"]
    table = {row["name"]: row for row in likeness_table(rows)}
    assert set(table) == {row["name"] for row in rows}
    for row in rows:
        shown = table[row["name"]]
        assert shown["reference"] == row["attractor"]["reference"] + 1
        assert (shown["nearest"], shown["copies"]) == (row["nearest_dino"]["mean"], row["copies"])
    # Three prompts with two images each, and photos that are compared among themselves.
    assert all(row["diversity"] is not None for row in table.values())


def test_a_row_without_a_second_image_of_any_prompt_has_no_diversity(evaluated: Folders) -> None:
    rows: Any = json.loads((evaluated.model / "metrics.json").read_text())["rows"]
    (shown,) = likeness_table([{**rows[-1], "diversity": None}])
    assert shown["diversity"] is None


def test_a_line_names_the_better_model_only_where_the_test_does() -> None:
    lines = comparisons(
        {
            "clip_i": DIFFERENCE | {"mean": -0.05},
            "clip_t": DIFFERENCE | {"p": 0.06},
            "dino": DIFFERENCE | {"p": 0.0625, "pairs": 5},
        }
    )
    better = {line["title"]: (line["better"], line["few"]) for line in lines}
    assert better == {"CLIP-I": ("teacher", False), "CLIP-T": (None, False), "DINO": (None, True)}


def test_models_with_one_image_have_no_lines() -> None:
    assert comparisons({"clip_i": None, "clip_t": None, "dino": None}) == []
