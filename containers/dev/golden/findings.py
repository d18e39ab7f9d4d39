"""Results of comparisons with golden numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Finding:
    """The largest error of one golden tensor or number, and the largest allowed."""

    name: str
    error: float
    allowed: float

    @property
    def holds(self) -> bool:
        """True if the error is small enough; NaN is not."""
        return self.error <= self.allowed

    def __str__(self) -> str:
        """One line for people."""
        mark = "ok" if self.holds else "TOO LARGE"
        return f"{self.name:<56} {self.error:12.3e}  allowed {self.allowed:8.1e}  {mark}"


def near(name: str, ours: Tensor, golden: Tensor, allowed: float = 1e-4) -> Finding:
    """Compare by the largest absolute difference; another shape is an infinite error."""
    if ours.shape != golden.shape:
        return Finding(name, float("inf"), allowed)
    return Finding(name, float((ours.double() - golden.double()).abs().max()), allowed)


def equal(name: str, ours: Tensor, golden: Tensor) -> Finding:
    """Compare ids: the error is how many differ, and none may."""
    if ours.shape != golden.shape:
        return Finding(name, float("inf"), 0.0)
    return Finding(name, float(torch.count_nonzero(ours.long() != golden.long())), 0.0)


def near_number(name: str, ours: float, golden: float, allowed: float) -> Finding:
    """Compare two numbers by their absolute difference."""
    return Finding(name, abs(ours - golden), allowed)


def near_relative(name: str, ours: float, golden: float, allowed: float) -> Finding:
    """Compare two numbers by their difference relative to the golden one."""
    return Finding(name, abs(ours - golden) / max(abs(golden), 1e-12), allowed)


def same_names(name: str, ours: Mapping[str, tuple[int, ...]], golden: Mapping[str, list[int]]) -> Finding:
    """Compare names and shapes: the error is how many are missing, too many or of another shape."""
    shapes = {key: tuple(shape) for key, shape in golden.items()}
    differing = {key for key in ours.keys() | shapes.keys() if ours.get(key) != shapes.get(key)}
    return Finding(name, float(len(differing)), 0.0)


def parameters(name: str, ours: Mapping[str, tuple[int, ...]], facts: Mapping[str, Any]) -> list[Finding]:
    """Compare names and shapes of a model's tensors where the facts have them."""
    return [same_names(name, ours, facts["parameters"])] if "parameters" in facts else []


def by_tag(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Group tensors named `tag.name`; the tag ends at the first dot."""
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        tag, _, rest = name.partition(".")
        groups.setdefault(tag, {})[rest] = tensor
    return groups
