"""The rule of checkpoint selection, on the scores of the checkpoints; the reason is given in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CheckpointScores:
    """Scores of the validation images of one step.

    Attributes:
        fidelity: mean DINO similarity to the photos.
        prompt: mean CLIP similarity of those in a context to their prompt; None without any.
        diversity: 1 less the mean DINO similarity of the others to each other; None for fewer than 2.
        each: every image's own similarity, in one order at all steps; its mean is `fidelity`.
    """

    step: int
    fidelity: float
    prompt: float | None
    diversity: float | None
    each: tuple[float, ...]


@dataclass(frozen=True)
class Guards:
    """The lowest scores that a checkpoint may have; None allows any."""

    prompt: float | None
    diversity: float | None

    def passes(self, scores: CheckpointScores) -> bool:
        """Return True when both scores are high enough."""
        return self.margin(scores) >= 1

    def margin(self, scores: CheckpointScores) -> float:
        """Return the ratio of score to guard, the lower of both; below 1 when one is too low."""
        pairs = ((scores.prompt, self.prompt), (scores.diversity, self.diversity))
        ratios = [
            score / least for score, least in pairs if score is not None and least is not None and least > 0
        ]
        return min(ratios, default=1.0)


def select(scores: Sequence[CheckpointScores], guards: Guards) -> tuple[CheckpointScores, str]:
    """Return the scores of the selected checkpoint, and the reason in words.

    Args:
        scores: by step, the untuned model's (step 0) among them; that one is never selected.
    """
    trained = [each for each in scores if each.step > 0]
    passing = [each for each in trained if guards.passes(each)]
    last, demands = trained[-1].step, _guards_in_words(guards)
    if not passing:
        best = max(trained, key=lambda each: (guards.margin(each), -each.step))
        return best, (
            f"step {best.step} of {last}: no checkpoint both follows prompts and varies enough "
            f"({demands}); this one comes nearest ({_scores_in_words(best)})"
        )
    closest = max(passing, key=lambda each: (each.fidelity, each.step))
    best = max((each for each in passing if _as_similar(each, closest)), key=lambda each: each.step)
    reason = f"step {best.step} of {last}: most similar to the photos (DINO {best.fidelity:.3f})"
    if best.step != closest.step:
        reason = (
            f"step {best.step} of {last}: within the error of {len(best.each)} images as similar to the "
            f"photos (DINO {best.fidelity:.3f}) as step {closest.step} ({closest.fidelity:.3f}), and trained "
            "longer; selected"
        )
    if len(passing) == len(trained):
        return (
            best,
            f"{reason} of all {len(trained)} checkpoints, which pass the guards ({demands})",
        )
    reason += f" of the {len(passing)} of {len(trained)} checkpoints that pass the guards ({demands})"
    rejected = max((each for each in trained if each not in passing), key=lambda each: each.fidelity)
    if rejected.fidelity > best.fidelity:
        reason += (
            f"; step {rejected.step} is more similar (DINO {rejected.fidelity:.3f}), but has only "
            f"{_scores_in_words(rejected)}"
        )
    return best, reason


def _as_similar(scores: CheckpointScores, closest: CheckpointScores) -> bool:
    """Return True when a checkpoint is less similar than the closest one by at most the standard error.

    Images of one seed are compared with each other. A few images scatter far more than two checkpoints
    differ; without this an undertrained one would often be selected by chance.
    """
    differences = np.subtract(closest.each, scores.each)
    if len(differences) < 2:
        return bool(differences.sum() <= 0)
    return bool(differences.mean() <= differences.std(ddof=1) / math.sqrt(len(differences)))


def _guards_in_words(guards: Guards) -> str:
    return _in_words(guards.prompt, guards.diversity, "at least ") or "no guards"


def _scores_in_words(scores: CheckpointScores) -> str:
    return _in_words(scores.prompt, scores.diversity, "")


def _in_words(prompt: float | None, diversity: float | None, before: str) -> str:
    pairs = (("CLIP-T", prompt), ("diversity", diversity))
    return ", ".join(f"{name} {before}{value:.3f}" for name, value in pairs if value is not None)
