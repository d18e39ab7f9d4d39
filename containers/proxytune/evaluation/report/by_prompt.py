"""The report's map of scores by prompt: where each model is strong and where it is weak."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxytune.contract.types.plan import Plan
from proxytune.evaluation.pictures import ScoredPicture

COLUMNS = (
    ("student", "dino", "Student, DINO"),
    ("teacher", "dino", "Teacher, DINO"),
    ("student", "clip_t", "Student, CLIP-T"),
    ("teacher", "clip_t", "Teacher, CLIP-T"),
)


@dataclass(frozen=True)
class HeatCell:
    """A mean over the images of a prompt, and its place from 0 to 1 between the ends of its measure."""

    row: str
    value: float
    heat: float


@dataclass(frozen=True)
class PromptMap:
    """The map of a run with at least two prompts.

    Attributes:
        titles: of the columns.
        rows: each prompt with its cells, in the order of the plan.
        weakest: the prompt with the student's lowest DINO, and that mean.
    """

    titles: tuple[str, ...]
    rows: list[tuple[str, list[HeatCell]]]
    weakest: tuple[str, float]


def prompt_map(plan: Plan, rows: Mapping[str, Sequence[ScoredPicture]]) -> PromptMap | None:
    """Compute the map; None for a single prompt, which there is nothing to compare with.

    Args:
        plan: of the run.
        rows: the scored images of the rows teacher and student.
    """
    prompts = [entry["prompt"] for entry in plan["prompts"]["evaluation"]]
    if len(prompts) < 2:
        return None
    means = {
        (prompt, row, measure): _mean(rows[row], prompt, measure)
        for prompt in prompts
        for row, measure, _ in COLUMNS
    }
    ends = {
        measure: (min(values), max(values))
        for measure in ("dino", "clip_t")
        for values in [[mean for (_, _, of), mean in means.items() if of == measure]]
    }
    shown = [
        (
            prompt,
            [
                HeatCell(row, means[prompt, row, measure], _place(means[prompt, row, measure], ends[measure]))
                for row, measure, _ in COLUMNS
            ],
        )
        for prompt in prompts
    ]
    # The first of equal ones, so that the same run gives the same page.
    weakest = min(prompts, key=lambda prompt: means[prompt, "student", "dino"])
    return PromptMap(
        tuple(title for _, _, title in COLUMNS), shown, (weakest, means[weakest, "student", "dino"])
    )


def _mean(pictures: Sequence[ScoredPicture], prompt: str, measure: str) -> float:
    values = [getattr(scored, measure) for scored in pictures if scored.picture.prompt == prompt]
    return math.fsum(values) / len(values)


def _place(value: float, ends: tuple[float, float]) -> float:
    low, high = ends
    return round((value - low) / (high - low), 3) if high > low else 0.5
