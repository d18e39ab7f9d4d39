"""Types of curation.json of a run.

Written by `npm run schemas` from lib/core; do not edit.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class CurationDropped(TypedDict):
    """Fields of curation dropped."""

    fidelity: int
    prompt: int
    duplicates: int
    safety: int


class CurationLimits(TypedDict):
    """Fields of curation limits."""

    # null: this criterion was not asked for.
    fidelity: float | None
    # null: this criterion was not asked for.
    prompt: float | None
    # null: this criterion was not asked for.
    duplicates: float | None
    # null: this criterion was not asked for.
    safety: float | None


class CurationPictureNearest(TypedDict):
    """Fields of curation picture nearest."""

    index: int
    distance: float


class CurationPictureUnsafe(TypedDict):
    """Fields of curation picture unsafe."""

    concept: str
    probability: float


Criterion = Literal["fidelity", "prompt", "duplicates", "safety"]


class CurationPictureReason(TypedDict):
    """Fields of curation picture reason."""

    criterion: Criterion
    # In a few words, with the score and the limit.
    why: str


class CurationPicture(TypedDict):
    """Fields of curation picture."""

    index: int
    # Of the PNG file.
    sha256: str
    kept: bool
    # Mean DINO cosine to the photos.
    fidelity: float
    # CLIP cosine to its prompt without the token word.
    prompt: float
    # The earlier kept proxy that is most like it, and 1 - DINO cosine to it; null for the first.
    nearest: CurationPictureNearest | None
    # CLIP’s probability of all unsafe texts together, and the likeliest; null: not asked.
    unsafe: CurationPictureUnsafe | None
    # Empty for a kept picture.
    reasons: list[CurationPictureReason]


class CurationAdaptiveRound(TypedDict):
    """Fields of curation adaptive round."""

    round: int
    # Pictures at its end, of all rounds.
    drawn: int
    # Of these.
    kept: int
    # Of this round’s usable pictures, those that show something no earlier one does.
    new_share: float
    # Shift of the mean of the kept proxies, as a share of their spread.
    mean_shift: float
    # Mean DINO distance of the kept to their mean.
    spread: float
    # Change of the spread, as a share of it.
    spread_change: float


class CurationAdaptive(TypedDict):
    """Fields of curation adaptive."""

    # DINO distance within which a picture is nothing new.
    reach: float
    rounds: list[CurationAdaptiveRound]
    # Whether more proxies would add nothing.
    satisfied: bool


class CurationEvaluator(TypedDict):
    """Fields of curation evaluator."""

    clip_sha256: str
    dino_sha256: str


class Curation(TypedDict):
    """Fields of curation."""

    version: Literal[1]
    run: str
    round: int
    # The most there may be.
    rounds: int
    drawn: int
    kept: int
    # Pictures a reason; one with two reasons counts in both.
    dropped: CurationDropped
    # As they came out for these photos.
    limits: CurationLimits
    pictures: list[CurationPicture]
    # Proxies in which the segmenter found the subject; missing where the run masks none.
    masked: NotRequired[int]
    # null: all proxies were drawn whatever they add.
    adaptive: CurationAdaptive | None
    evaluator: CurationEvaluator
