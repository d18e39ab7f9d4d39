"""What each round of proxies added: how many pictures show something new, how far mean and spread moved.

Distances are 1 - DINO cosine. Their unit is the first round's own: how much two of its pictures differ on
average, so that the same settings serve every subject and encoder, and later rounds do not move the goal.
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
class Evidence:
    """What the rounds so far came to.

    Attributes:
        reach: distance within which a picture is nothing new.
        rounds: one entry a round, as `adaptive.rounds` of curation.json.
        satisfied: whether another round would add nothing.
    """

    reach: float
    rounds: list[dict[str, Any]]
    satisfied: bool


def evidence(
    dino: Vectors,
    usable: Sequence[bool],
    kept: Sequence[bool],
    ends: Sequence[int],
    asked: CurationPlanAdaptive,
) -> Evidence:
    """The evidence for or against another round.

    Args:
        dino: vectors (N, D) of all proxies so far, in order.
        usable: of each, whether it is kept or only repeats a kept one; others tell nothing of coverage.
        kept: of each.
        ends: proxies at the end of each round so far, the last N.
        asked: `reach`, `newShare` and `drift` of the plan.
    """
    fine, held = np.asarray(usable, dtype=bool), np.asarray(kept, dtype=bool)
    reach = round(asked["reach"] * _spread(dino[: ends[0]][fine[: ends[0]]]), 6)
    rounds = []
    for number, end in enumerate(ends, start=1):
        # The first round has nothing before it, so its second half is compared with its first.
        start = ends[number - 2] if number > 1 else end // 2
        earlier, new = dino[:start][fine[:start]], dino[start:end][fine[start:end]]
        before, after = dino[:start][held[:start]], dino[:end][held[:end]]
        spread = _spread(after)
        rounds.append(
            {
                "round": number,
                "drawn": end,
                "kept": int(held[:end].sum()),
                "new_share": _new_share(new, earlier, reach),
                "moved": _moved(before, after, spread),
                "spread": round(spread, 6),
                "widened": _ratio(abs(spread - _spread(before)), spread),
            }
        )
    last = rounds[-1]
    drift = asked["drift"]
    satisfied = last["new_share"] < asked["newShare"] and last["moved"] <= drift and last["widened"] <= drift
    return Evidence(reach, rounds, bool(satisfied))


def _new_share(new: Vectors, earlier: Vectors, reach: float) -> float:
    """Share of the new pictures that are farther than `reach` from all earlier ones; 0 without any."""
    if len(new) == 0:
        return 0.0
    if len(earlier) == 0:
        return 1.0
    # Rounded as in the verdicts: of equal pictures the cosine misses 1 by the last bits, and where all
    # are the same the reach is no more than that.
    nearest = np.round(1 - (new @ earlier.T).max(axis=1), 6)
    return round(float((nearest > reach).mean()), 6)


def _spread(vectors: Vectors) -> float:
    """Mean distance of two of them: 1 - |mean|² for unit vectors, a picture with itself included.

    Less than the last of six digits is what float32 vectors miss of unit length, not a distance.
    """
    if len(vectors) == 0:
        return 0.0
    mean = vectors.mean(axis=0)
    distance = 1 - float(mean @ mean)
    return distance if distance >= 1e-6 else 0.0


def _moved(before: Vectors, after: Vectors, spread: float) -> float:
    """How far the mean went, in units of the pictures' usual (root mean square) distance from it."""
    if len(before) == 0 or len(after) == 0:
        return 1.0
    return _ratio(float(np.linalg.norm(after.mean(axis=0) - before.mean(axis=0))), math.sqrt(spread))


def _ratio(part: float, whole: float) -> float:
    """Of pictures that are all the same nothing is left that could change."""
    return round(part / whole, 6) if whole > 1e-9 else 0.0
