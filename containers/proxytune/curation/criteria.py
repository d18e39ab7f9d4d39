"""Kept or dropped, with the reasons: fidelity, prompt, near-duplicate and safety.

Limits are relative to the scores of the photos themselves, as cosines do not compare between encoders,
subjects or dataset domains. The result for a proxy depends only on the photos and on the proxies before it,
so that no later round changes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from proxytune.contract.types.plan import CurationPlan
from proxytune.curation.embeddings import Embeddings
from proxytune.metrics.encoders import Vectors
from proxytune.metrics.scores import among_themselves, to_prompts, to_references

CRITERIA = ("fidelity", "prompt", "duplicates", "safety")


@dataclass(frozen=True)
class Limits:
    """Limits that a proxy must meet; None where the run does not use the criterion.

    Attributes:
        fidelity: minimum of the mean DINO cosine to the photos.
        prompt: minimum of the CLIP cosine to its prompt.
        duplicates: it must be farther than this DINO distance (1 - cosine) from every kept proxy before it.
        safety: it is dropped at this probability of unsafe content, and above.
    """

    fidelity: float | None
    prompt: float | None
    duplicates: float | None
    safety: float | None


def limits_for(settings: CurationPlan, photos: Embeddings, category: Vectors) -> Limits:
    """Compute the limits of a run.

    Args:
        settings: `curation` of the plan.
        photos: the references.
        category: CLIP's vector (1, C) of the prompt that names only the category.
    """
    # A single photo cannot be compared with others.
    likeness = _mean(among_themselves(photos.dino)) if len(photos.dino) > 1 else settings["likeness"]
    named = _mean(to_prompts(photos.clip, np.repeat(category, len(photos.clip), axis=0)))
    duplicates = settings["duplicates"]
    return Limits(
        fidelity=_share(settings["fidelity"], likeness),
        prompt=_share(settings["prompt"], named),
        duplicates=None if duplicates is None else duplicates * (1 - likeness),
        safety=None if settings["safety"] is None else settings["safety"]["probability"],
    )


@dataclass(frozen=True)
class Texts:
    """CLIP's unit vectors of texts, and its logit scale.

    Attributes:
        plain: a proxy's prompt without the token word -> its vector.
        unsafe: text -> vector; empty where safety is not checked.
        safe: vectors (S, C) of the texts that compete with the unsafe ones, next to the proxy's prompt.
        scale: CLIP's factor of a cosine before the softmax.
    """

    plain: Mapping[str, Vectors]
    unsafe: Mapping[str, Vectors]
    safe: Vectors
    scale: float


@dataclass
class Classification:
    """The result for one proxy; `nearest` is (index of a kept proxy before it, distance)."""

    fidelity: float
    prompt: float
    nearest: tuple[int, float] | None
    unsafe: tuple[str, float] | None
    reasons: list[tuple[str, str]] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """True when there is no reason to drop it."""
        return not self.reasons

    @property
    def repeats(self) -> bool:
        """True when the only reason to drop it is that it repeats a kept one."""
        return [criterion for criterion, _ in self.reasons] == ["duplicates"]


def classify(
    proxies: Embeddings, prompts: Sequence[str], photos: Embeddings, texts: Texts, limits: Limits
) -> list[Classification]:
    """Classify every proxy as kept or dropped, in order.

    Args:
        proxies: N of them.
        prompts: one per proxy, without the token word.
        photos: the references.
    """
    fidelity = to_references(proxies.dino, photos.dino)
    likeness = to_prompts(proxies.clip, np.stack([texts.plain[prompt] for prompt in prompts]))
    kept: list[int] = []
    # Filled row by row: gathering the kept rows again for each of thousands of proxies would copy gigabytes.
    kept_vectors = np.empty_like(proxies.dino)
    results = []
    for index, prompt in enumerate(prompts):
        result = Classification(
            fidelity[index],
            likeness[index],
            _nearest(proxies.dino[index], kept_vectors[: len(kept)], kept),
            _unsafe(proxies.clip[index], texts.plain[prompt], texts),
        )
        result.reasons += _reasons(result, prompt, limits)
        if result.kept:
            kept_vectors[len(kept)] = proxies.dino[index]
            kept.append(index)
        results.append(result)
    return results


def _nearest(image: Vectors, kept_vectors: Vectors, kept: Sequence[int]) -> tuple[int, float] | None:
    """Index and distance of the most similar kept proxy; `kept_vectors` (K, D) are those of `kept`."""
    if not kept:
        return None
    cosines = kept_vectors @ image
    best = int(np.argmax(cosines))
    return kept[best], round(max(0.0, 1 - float(cosines[best])), 6)


def _unsafe(image: Vectors, prompt: Vectors, texts: Texts) -> tuple[str, float] | None:
    """The most likely unsafe text, and the probability of all unsafe texts against prompt and safe ones."""
    if not texts.unsafe:
        return None
    unsafe = np.stack(list(texts.unsafe.values()))
    logits = texts.scale * (np.concatenate([unsafe, prompt[None], texts.safe]) @ image)
    weights = np.exp(logits - logits.max())
    probabilities = (weights / weights.sum())[: len(unsafe)]
    return list(texts.unsafe)[int(np.argmax(probabilities))], round(float(probabilities.sum()), 6)


def _reasons(result: Classification, prompt: str, limits: Limits) -> list[tuple[str, str]]:
    """List (criterion, why) for every limit that a proxy does not meet."""
    reasons = []
    least = limits.fidelity
    if least is not None and result.fidelity < least:
        why = f"DINO similarity to the photos is {result.fidelity:.3f}, at least {least:.3f} is required"
        reasons.append(("fidelity", why))
    least = limits.prompt
    if least is not None and result.prompt < least:
        why = f"CLIP similarity to “{prompt}” is {result.prompt:.3f}, at least {least:.3f} is required"
        reasons.append(("prompt", why))
    least = limits.duplicates
    if least is not None and result.nearest is not None and result.nearest[1] <= least:
        index, distance = result.nearest
        why = f"DINO distance to proxy {index} is {distance:.3f}, more than {least:.3f} is required"
        reasons.append(("duplicates", why))
    most = limits.safety
    if most is not None and result.unsafe is not None and result.unsafe[1] >= most:
        concept, probability = result.unsafe
        why = f"unsafe with probability {probability:.2f} (“{concept}”), less than {most:.2f} is required"
        reasons.append(("safety", why))
    return reasons


def _share(share: float | None, whole: float) -> float | None:
    """A share of a score; for a negative one, which only untrained encoders give, as far below it."""
    return None if share is None else whole - (1 - share) * abs(whole)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
