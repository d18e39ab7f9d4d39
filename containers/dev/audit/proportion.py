"""Exact 95 % intervals of a proportion."""

from __future__ import annotations

import math
from collections.abc import Callable

TAIL = 0.025
# Halvings of the interval; 2 ** -40 is far below what is printed.
HALVINGS = 40


def exact_interval(hits: int, of: int) -> tuple[float, float]:
    """Compute the interval of Clopper and Pearson (1934): the proportions that the tests on both sides keep.

    Args:
        hits: 0 to `of`.
        of: at least 1.
    """
    low = 0.0 if hits == 0 else _root(lambda p: TAIL - (1 - _at_most(hits - 1, of, p)))
    high = 1.0 if hits == of else _root(lambda p: _at_most(hits, of, p) - TAIL)
    return low, high


def _at_most(hits: int, of: int, p: float) -> float:
    """Probability of at most so many hits; p is not 0 or 1."""
    logs = (
        math.lgamma(of + 1)
        - math.lgamma(k + 1)
        - math.lgamma(of - k + 1)
        + k * math.log(p)
        + (of - k) * math.log1p(-p)
        for k in range(hits + 1)
    )
    return math.fsum(math.exp(one) for one in logs)


def _root(falling: Callable[[float], float]) -> float:
    """Where a falling function of 0 to 1 crosses zero."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2
