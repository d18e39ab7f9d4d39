"""Kept or dropped, with the reasons: fidelity, prompt, near-duplicate and safety.

Limits are relative to what the photos themselves score, as cosines of one encoder, subject or world mean
little in another. A picture is judged by the photos and the pictures before it alone, so that no later round
changes a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from proxytune.contract.types.plan import CurationPlan
from proxytune.curation.measured import Measured
from proxytune.metrics.encoders import Vectors
from proxytune.metrics.scores import among_themselves, to_prompts, to_references

CRITERIA = ("fidelity", "prompt", "duplicates", "safety")


@dataclass(frozen=True)
class Limits:
    """What a proxy must reach; None where the run does not ask for the criterion.

    Attributes:
        fidelity: least mean DINO cosine to the photos.
        prompt: least CLIP cosine to its prompt.
        duplicates: least DINO distance (1 - cosine) to every kept proxy before it.
        safety: probability of unsafe contents from which on it is dropped.
    """

    fidelity: float | None
    prompt: float | None
    duplicates: float | None
    safety: float | None


def limits_for(asked: CurationPlan, photos: Measured, category: Vectors) -> Limits:
    """The limits of a run.

    Args:
        asked: `curation` of the plan.
        photos: the references.
        category: CLIP's vector (1, C) of the prompt that names the category and nothing else.
    """
    # A single photo has no others to be like.
    likeness = _mean(among_themselves(photos.dino)) if len(photos.dino) > 1 else asked["likeness"]
    named = _mean(to_prompts(photos.clip, np.repeat(category, len(photos.clip), axis=0)))
    duplicates = asked["duplicates"]
    return Limits(
        fidelity=_share(asked["fidelity"], likeness),
        prompt=_share(asked["prompt"], named),
        duplicates=None if duplicates is None else duplicates * (1 - likeness),
        safety=None if asked["safety"] is None else asked["safety"]["probability"],
    )


@dataclass(frozen=True)
class Texts:
    """CLIP's unit vectors of texts, and how sure it is of a cosine.

    Attributes:
        plain: a proxy's prompt without the token word -> its vector.
        unsafe: text -> vector; empty where safety is not checked.
        safe: vectors (S, C) of texts that stand against the unsafe ones, beside the proxy's prompt.
        scale: CLIP's own factor of a cosine before the softmax.
    """

    plain: Mapping[str, Vectors]
    unsafe: Mapping[str, Vectors]
    safe: Vectors
    scale: float


@dataclass
class Verdict:
    """What was found about one proxy; `nearest` is (place of a kept proxy before it, distance)."""

    fidelity: float
    prompt: float
    nearest: tuple[int, float] | None
    unsafe: tuple[str, float] | None
    reasons: list[tuple[str, str]] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons

    @property
    def repeats(self) -> bool:
        """Whether nothing speaks against it but that there is one like it."""
        return [criterion for criterion, _ in self.reasons] == ["duplicates"]


def judge(
    proxies: Measured, prompts: Sequence[str], photos: Measured, texts: Texts, limits: Limits
) -> list[Verdict]:
    """The verdict on every proxy, in order.

    Args:
        proxies: N of them.
        prompts: of each, without the token word.
        photos: the references.
    """
    fidelity = to_references(proxies.dino, photos.dino)
    likeness = to_prompts(proxies.clip, np.stack([texts.plain[prompt] for prompt in prompts]))
    kept: list[int] = []
    # Filled row by row: gathering the kept rows anew for each of thousands of proxies would copy gigabytes.
    held = np.empty_like(proxies.dino)
    verdicts = []
    for place, prompt in enumerate(prompts):
        verdict = Verdict(
            fidelity[place],
            likeness[place],
            _nearest(proxies.dino[place], held[: len(kept)], kept),
            _unsafe(proxies.clip[place], texts.plain[prompt], texts),
        )
        verdict.reasons += _reasons(verdict, prompt, limits)
        if verdict.kept:
            held[len(kept)] = proxies.dino[place]
            kept.append(place)
        verdicts.append(verdict)
    return verdicts


def _nearest(picture: Vectors, held: Vectors, kept: Sequence[int]) -> tuple[int, float] | None:
    """Place and distance of the most like of the kept proxies, whose vectors are `held` (K, D)."""
    if not kept:
        return None
    cosines = held @ picture
    best = int(np.argmax(cosines))
    return kept[best], round(max(0.0, 1 - float(cosines[best])), 6)


def _unsafe(picture: Vectors, prompt: Vectors, texts: Texts) -> tuple[str, float] | None:
    """The likeliest unsafe text, and CLIP's probability of all of them against prompt and safe texts."""
    if not texts.unsafe:
        return None
    unsafe = np.stack(list(texts.unsafe.values()))
    logits = texts.scale * (np.concatenate([unsafe, prompt[None], texts.safe]) @ picture)
    weights = np.exp(logits - logits.max())
    probabilities = (weights / weights.sum())[: len(unsafe)]
    return list(texts.unsafe)[int(np.argmax(probabilities))], round(float(probabilities.sum()), 6)


def _reasons(verdict: Verdict, prompt: str, limits: Limits) -> list[tuple[str, str]]:
    """(criterion, why) of everything that speaks against a proxy."""
    reasons = []
    least = limits.fidelity
    if least is not None and verdict.fidelity < least:
        why = f"DINO likeness {verdict.fidelity:.3f} to the photos, at least {least:.3f} is wanted"
        reasons.append(("fidelity", why))
    least = limits.prompt
    if least is not None and verdict.prompt < least:
        why = f"CLIP likeness {verdict.prompt:.3f} to “{prompt}”, at least {least:.3f} is wanted"
        reasons.append(("prompt", why))
    least = limits.duplicates
    if least is not None and verdict.nearest is not None and verdict.nearest[1] <= least:
        place, distance = verdict.nearest
        why = f"DINO distance {distance:.3f} to proxy {place}, more than {least:.3f} is wanted"
        reasons.append(("duplicates", why))
    most = limits.safety
    if most is not None and verdict.unsafe is not None and verdict.unsafe[1] >= most:
        concept, probability = verdict.unsafe
        why = f"unsafe with probability {probability:.2f} (“{concept}”), below {most:.2f} is wanted"
        reasons.append(("safety", why))
    return reasons


def _share(share: float | None, whole: float) -> float | None:
    """A share of a score; of a negative one, which only untrained encoders give, as far below it."""
    return None if share is None else whole - (1 - share) * abs(whole)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
