from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proxytune.evaluation.likeness import Likeness
from proxytune.evaluation.pictures import ScoredPicture, View
from proxytune.evaluation.report.by_prompt import prompt_map
from proxytune.metrics.masc import MascScore
from proxytune.metrics.pictures import Picture

PROMPTS = ("a dog at night", "a dog on a lawn", "a dog in snow")


def scored(row: str, prompt: str, dino: float, clip_t: float) -> ScoredPicture:
    picture = Picture(row, 0, prompt, prompt, 1, bytes)
    return ScoredPicture(picture, View("", "", 1, 1, ""), 0.0, clip_t, dino, (0, dino), None)


@pytest.fixture
def three(plan: dict[str, Any]) -> dict[str, Any]:
    plan["prompts"]["evaluation"] = [{"prompt": prompt, "plain": prompt} for prompt in PROMPTS]
    return plan


DINO = Likeness("dino", "DINO", {}, {})
ROWS = {
    "student": [
        *(scored("student", PROMPTS[0], dino, 0.3) for dino in (0.1, 0.3)),
        *(scored("student", PROMPTS[1], dino, 0.2) for dino in (0.5, 0.7)),
        *(scored("student", PROMPTS[2], dino, 0.1) for dino in (0.4, 0.4)),
    ],
    "teacher": [
        scored("teacher", prompt, dino, 0.3) for prompt, dino in zip(PROMPTS, (0.7, 0.6, 0.5), strict=True)
    ],
}


def test_each_prompt_has_the_means_of_its_images(three: Any) -> None:
    shown = prompt_map(three, ROWS, DINO)
    assert shown is not None
    assert [prompt for prompt, _ in shown.rows] == list(PROMPTS)
    values = [[round(cell.value, 6) for cell in cells] for _, cells in shown.rows]
    assert values == [[0.2, 0.7, 0.3, 0.3], [0.6, 0.6, 0.2, 0.3], [0.4, 0.5, 0.1, 0.3]]


def test_the_heat_is_the_place_within_the_measure(three: Any) -> None:
    shown = prompt_map(three, ROWS, DINO)
    assert shown is not None
    # DINO reaches from 0.2 to 0.7, CLIP-T from 0.1 to 0.3.
    assert [cell.heat for cell in shown.rows[0][1]] == [0, 1, 1, 1]
    assert [cell.heat for cell in shown.rows[2][1]] == [0.4, 0.6, 0, 1]


def test_the_weakest_prompt_is_that_of_the_students_lowest_mean(three: Any) -> None:
    shown = prompt_map(three, ROWS, DINO)
    assert shown is not None
    assert shown.weakest == ("a dog at night", pytest.approx(0.2))


def test_the_map_shows_the_measure_that_decides(three: Any) -> None:
    rows = {
        row: [replace(one, masc=MascScore(1 - one.dino, None)) for one in images]
        for row, images in ROWS.items()
    }
    shown = prompt_map(three, rows, Likeness("masc_identity", "MaSC identity", {}, {}))
    assert shown is not None
    assert shown.titles[:2] == ("Student, MaSC identity", "Teacher, MaSC identity")
    # Where DINO is highest, MaSC is lowest here.
    assert shown.weakest == ("a dog on a lawn", pytest.approx(0.4))
    assert shown.measure == "MaSC identity"


def test_a_single_prompt_has_no_map(three: Any) -> None:
    three["prompts"]["evaluation"] = three["prompts"]["evaluation"][:1]
    assert prompt_map(three, ROWS, DINO) is None
