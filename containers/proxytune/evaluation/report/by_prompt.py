"""The report's map of scores by prompt: where each model is strong and where it is weak."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxytune.contract.types.plan import Plan
from proxytune.evaluation.likeness import Likeness
from proxytune.evaluation.pictures import ScoredPicture


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
        weakest: the prompt whose images of the student are the least similar to the photos, and their mean.
        measure: the title of that similarity.
    """

    titles: tuple[str, ...]
    rows: list[tuple[str, list[HeatCell]]]
    weakest: tuple[str, float]
    measure: str


def prompt_map(
    plan: Plan, rows: Mapping[str, Sequence[ScoredPicture]], likeness: Likeness
) -> PromptMap | None:
    """Compute the map; None for a single prompt, which there is nothing to compare with.

    Args:
        plan: of the run.
        rows: the scored images of the rows student and, if the run has one, teacher.
        likeness: the measure of the similarity to the photos.
    """
    prompts = [entry["prompt"] for entry in plan["prompts"]["evaluation"]]
    if len(prompts) < 2:
        return None
    measures = {likeness.key: likeness.title, "clip_t": "CLIP-T"}
    models = [row for row in ("student", "teacher") if row in rows]
    columns = [(row, measure) for measure in measures for row in models]
    means = {
        (prompt, row, measure): _mean(rows[row], prompt, measure)
        for prompt in prompts
        for row, measure in columns
    }
    ends = {
        measure: (min(values), max(values))
        for measure in measures
        for values in [[mean for (_, _, of), mean in means.items() if of == measure]]
    }
    shown = [
        (
            prompt,
            [
                HeatCell(row, means[prompt, row, measure], _place(means[prompt, row, measure], ends[measure]))
                for row, measure in columns
            ],
        )
        for prompt in prompts
    ]
    # The first of equal ones, so that the same run gives the same page.
    weakest = min(prompts, key=lambda prompt: means[prompt, "student", likeness.key])
    return PromptMap(
        tuple(f"{row.capitalize()}, {measures[measure]}" for row, measure in columns),
        shown,
        (weakest, means[weakest, "student", likeness.key]),
        likeness.title,
    )


def _mean(pictures: Sequence[ScoredPicture], prompt: str, measure: str) -> float:
    values = [getattr(scored, measure) for scored in pictures if scored.picture.prompt == prompt]
    return math.fsum(values) / len(values)


def _place(value: float, ends: tuple[float, float]) -> float:
    low, high = ends
    return round((value - low) / (high - low), 3) if high > low else 0.5
