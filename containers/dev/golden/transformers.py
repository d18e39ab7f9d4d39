"""Parts of the checks of a transformer with weights by formula: tags, parameters, gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from dev.golden.findings import Finding, by_tag, near_relative

# Gradients sum many float32 roundings; relative to the official norm, which spans 1e-3 .. 1e3.
_GRADIENT_ALLOWED = 1e-4

CheckTag = Callable[[str, dict[str, Any], dict[str, Tensor]], list[Finding]]


def check_tags(
    facts: Mapping[str, Any], tensors: dict[str, Tensor], inputs: frozenset[str], check: CheckTag
) -> list[Finding]:
    """Check every tag of a file.

    Args:
        inputs: the tensors that every tag must have.
        check: called with a tag, its facts and its tensors.

    Raises:
        ValueError: a tag without facts or inputs, or with nothing else.
    """
    groups = by_tag(tensors)
    if groups.keys() != facts.keys():
        raise ValueError(f"the tags differ: {sorted(facts)} in the json, {sorted(groups)} in the tensors")
    for tag, group in groups.items():
        missing = inputs - group.keys()
        if missing:
            raise ValueError(f"{tag} lacks {sorted(missing)}")
    return [finding for tag in facts for finding in check(tag, facts[tag], groups[tag])]


def gradient_norms(
    tag: str,
    named: Iterable[tuple[str, nn.Parameter]],
    facts: Mapping[str, Any],
    official: Callable[[str, Tensor], Tensor] = lambda _, gradient: gradient,
) -> list[Finding]:
    """Compare the norms of gradients; a parameter without one has an infinite error.

    Args:
        official: from a name and our gradient to the gradient of the official parameter.
    """
    gradients = {name: parameter.grad for name, parameter in named}
    findings = []
    for name, golden in facts.get("grad_norms", {}).items():
        gradient = gradients.get(name)
        norm = float("inf") if gradient is None else float(official(name, gradient).norm())
        findings.append(near_relative(f"{tag}.gradient.{name}", norm, golden, _GRADIENT_ALLOWED))
    return findings
