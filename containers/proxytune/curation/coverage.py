"""Coverage: the share of a round's images that are new, and the change of mean and spread.

Distances are 1 - DINO cosine, in units of the average distance between two images of the first round: the
same settings then suit every subject and encoder, and later rounds do not shift the goal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from proxytune.contract.types.plan import CurationPlanAdaptive
from proxytune.metrics.encoders import Vectors


@dataclass(frozen=True)
class Coverage:
    """The coverage after the rounds so far.

    Attributes:
        reach: distance to an earlier image within which an image does not count as new.
        rounds: one entry per round, as `adaptive.rounds` of curation.json.
        satisfied: True when another round would add nothing.
    """

    reach: float
    rounds: list[dict[str, Any]]
    satisfied: bool


def measure_coverage(
    dino: Vectors,
    usable: Sequence[bool],
    kept: Sequence[bool],
    ends: Sequence[int],
    settings: CurationPlanAdaptive,
) -> Coverage:
    """Measure the coverage of each round and decide whether another one is needed.

    Args:
        dino: vectors (N, D) of all proxies so far, in order.
        usable: per proxy, True when it is kept or merely repeats a kept one; others do not count.
        kept: per proxy.
        ends: number of proxies at the end of each round so far; the last is N.
        settings: `reach`, `newShare` and `drift` of the plan.
    """
    is_usable, is_kept = np.asarray(usable, dtype=bool), np.asarray(kept, dtype=bool)
    reach = round(settings["reach"] * _spread(dino[: ends[0]][is_usable[: ends[0]]]), 6)
    rounds = []
    for number, end in enumerate(ends, start=1):
        # Nothing precedes the first round, so its second half is compared with its first.
        start = ends[number - 2] if number > 1 else end // 2
        earlier, new = dino[:start][is_usable[:start]], dino[start:end][is_usable[start:end]]
        before, after = dino[:start][is_kept[:start]], dino[:end][is_kept[:end]]
        spread = _spread(after)
        rounds.append(
            {
                "round": number,
                "drawn": end,
                "kept": int(is_kept[:end].sum()),
                "new_share": _new_share(new, earlier, reach),
                "mean_shift": _mean_shift(before, after, spread),
                "spread": round(spread, 6),
                "spread_change": _ratio(abs(spread - _spread(before)), spread),
            }
        )
    last = rounds[-1]
    drift = settings["drift"]
    satisfied = (
        last["new_share"] < settings["newShare"]
        and last["mean_shift"] <= drift
        and last["spread_change"] <= drift
    )
    return Coverage(reach, rounds, bool(satisfied))


def _new_share(new: Vectors, earlier: Vectors, reach: float) -> float:
    """Share of the new images that are farther than `reach` from all earlier ones; 0 if there are none."""
    if len(new) == 0:
        return 0.0
    if len(earlier) == 0:
        return 1.0
    # Rounded as in `criteria`: the cosine of equal images misses 1 by its last bits, and where all images are
    # equal the reach is as small as that.
    nearest = np.round(1 - (new @ earlier.T).max(axis=1), 6)
    return round(float((nearest > reach).mean()), 6)


def _spread(vectors: Vectors) -> float:
    """Mean distance over all pairs, each vector with itself included: 1 - |mean|² for unit vectors.

    A value below the sixth decimal is the rounding error of float32 vectors, not a distance.
    """
    if len(vectors) == 0:
        return 0.0
    mean = vectors.mean(axis=0)
    distance = 1 - float(mean @ mean)
    return distance if distance >= 1e-6 else 0.0


def _mean_shift(before: Vectors, after: Vectors, spread: float) -> float:
    """Shift of the mean, in units of the images' root mean square distance from it."""
    if len(before) == 0 or len(after) == 0:
        return 1.0
    return _ratio(float(np.linalg.norm(after.mean(axis=0) - before.mean(axis=0))), math.sqrt(spread))


def _ratio(part: float, whole: float) -> float:
    """Ratio of a change to the spread; 0 where all images are equal."""
    return round(part / whole, 6) if whole > 1e-9 else 0.0
