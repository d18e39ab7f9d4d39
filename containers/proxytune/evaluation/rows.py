"""The rows of metrics.json: means of the images of a model, and the comparison of two models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from proxytune.evaluation.exact import exact_row
from proxytune.evaluation.pictures import ScoredPicture
from proxytune.metrics.intervals import Difference, compare, summarize

ROWS = ("photos", "teacher-base", "student-base", "proxies", "teacher", "student")
SCORES = ("clip_i", "clip_t", "dino")
MASC = ("masc_identity", "masc_prompt")
"""Scores of runs that are measured by MaSC."""
DREAMSIM = "dreamsim"
"""The score of runs that are measured by DreamSim."""


def comparison(
    teacher: Sequence[ScoredPicture], student: Sequence[ScoredPicture], seed: int
) -> dict[str, Difference | None]:
    """Compare student and teacher by each score, over the images of the same prompts and seeds.

    Args:
        teacher, student: the scored images of their rows.
        seed: of the bootstrap.

    Returns:
        By score, the difference student minus teacher; None where there are less than two pairs.
    """
    of_student = {_request(scored): scored for scored in student}
    pairs = [(scored, of_student[_request(scored)]) for scored in teacher if _request(scored) in of_student]
    both = (*teacher, *student)
    names = [*SCORES]
    names += MASC if all(scored.masc is not None for scored in both) else ()
    names += [DREAMSIM] if all(scored.dreamsim is not None for scored in both) else []
    return {name: _compared(pairs, name, seed) for name in names}


def _compared(
    pairs: Sequence[tuple[ScoredPicture, ScoredPicture]], name: str, seed: int
) -> Difference | None:
    """Compare two models by a score, over the pairs in which both images have one."""
    known = [
        (first.picture.prompt, getattr(first, name), getattr(second, name))
        for first, second in pairs
        if getattr(first, name) is not None and getattr(second, name) is not None
    ]
    return compare([(one, other) for _, one, other in known], seed, [prompt for prompt, _, _ in known])


def _request(scored: ScoredPicture) -> tuple[str | None, int | None]:
    return scored.picture.prompt, scored.picture.seed


def build_row(
    name: str, members: Sequence[ScoredPicture], seed: int, between: float | None
) -> dict[str, Any]:
    """Build a row of metrics.json.

    Args:
        name: of the row.
        members: its images.
        seed: of the bootstrap.
        between: the greatest DINO similarity of two references; None where there is one only.

    """
    prompts = [scored.picture.prompt or str(scored.picture.index) for scored in members]

    def mean(values: Sequence[float | None]) -> dict[str, Any] | None:
        known = [(value, of) for value, of in zip(values, prompts, strict=True) if value is not None]
        if not known:
            return None
        numbers, groups = zip(*known, strict=True)
        return asdict(summarize(numbers, seed, groups))

    near = [scored.nearest for scored in members]
    attractor, count = Counter(position for position, _ in near).most_common(1)[0]
    row = {
        "name": name,
        "pictures": len(members),
        "clip_i": mean([scored.clip_i for scored in members]),
        "clip_t": mean([scored.clip_t for scored in members]),
        "dino": mean([scored.dino for scored in members]),
        **_masc(members, mean),
        **_dreamsim(members, mean),
        "nearest_dino": mean([similarity for _, similarity in near]),
        "copies": None
        if between is None or name == "photos"
        else sum(similarity > between for _, similarity in near) / len(near),
        "attractor": {"reference": attractor, "share": count / len(near)},
        "diversity": mean([scored.diversity for scored in members]),
    }
    exact = [(scored.exact, of) for scored, of in zip(members, prompts, strict=True) if scored.exact]
    if not exact:
        return row
    measures, of_measures = zip(*exact, strict=True)
    return row | {"exact": exact_row(measures, seed, of_measures)}


def _masc(
    members: Sequence[ScoredPicture], mean: Callable[[Sequence[float | None]], dict[str, Any] | None]
) -> dict[str, Any]:
    if any(scored.masc is None for scored in members):
        return {}
    means = {name: mean([getattr(scored, name) for scored in members]) for name in MASC}
    identities = [scored.masc_identity for scored in members if scored.masc_identity is not None]
    return means | (quartiles(identities) if identities else {})


def _dreamsim(
    members: Sequence[ScoredPicture], mean: Callable[[Sequence[float | None]], dict[str, Any] | None]
) -> dict[str, Any]:
    scores = [scored.dreamsim for scored in members]
    return {} if None in scores else {DREAMSIM: mean(scores)}


def quartiles(identities: Sequence[float]) -> dict[str, float]:
    """Compute the two numbers of a row that the verdict needs beside the mean.

    Args:
        identities: MaSC of the subject's region, at least one.
    """
    lower, median = np.percentile(identities, (25, 50))
    return {"masc_quartile": round(float(lower), 6), "masc_median": round(float(median), 6)}
