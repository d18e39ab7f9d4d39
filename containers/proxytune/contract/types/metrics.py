"""Types of metrics.json of a report.

Written by `npm run schemas` from lib/core; do not edit.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from proxytune.contract.types.choice import Choice

RowName = Literal["photos", "teacher-base", "student-base", "proxies", "teacher", "student"]


class Score(TypedDict):
    """Fields of score."""

    mean: float
    # Lower end of the 95 % bootstrap interval.
    low: float
    # Upper end of the 95 % bootstrap interval.
    high: float


class MetricsRowExact(TypedDict):
    """Fields of metrics row exact."""

    palette: Score
    shape: Score
    pattern: Score
    category: Score
    # Over the pictures whose prompt names a context; null without any.
    context: Score | None


class MetricsRow(TypedDict):
    """Fields of metrics row."""

    name: RowName
    pictures: int
    # CLIP image similarity to the references: subject fidelity.
    clip_i: Score
    # CLIP similarity of picture and prompt without the token word.
    clip_t: Score | None
    # DINO ViT-S/16 CLS similarity to the references: subject fidelity.
    dino: Score
    # Only where the request tells the truth about its subject.
    exact: NotRequired[MetricsRowExact]


class MetricsPictureExact(TypedDict):
    """Fields of metrics picture exact."""

    # Mean CIEDE2000 of body, mark and trim to the true colours; less is better.
    palette: float
    # Overlap of the outline with the true one: shared area over joint.
    shape: float
    # The true pattern was found.
    pattern: bool
    # The category was found.
    category: bool
    # The context of the prompt was found; null where it names none.
    context: bool | None


class MetricsPicture(TypedDict):
    """Fields of metrics picture."""

    row: RowName
    index: int
    prompt: str | None
    seed: int | None
    # Relative to the report folder.
    file: str
    clip_i: float
    clip_t: float | None
    dino: float
    exact: NotRequired[MetricsPictureExact]


class MetricsCuration(TypedDict):
    """Fields of metrics curation."""

    drawn: int
    kept: int
    # Proxies a reason.
    dropped: dict[str, int]
    # In which they were drawn.
    rounds: int
    # Whether more would add nothing; null where nobody asked.
    satisfied: bool | None


class MetricsEvaluator(TypedDict):
    """Fields of metrics evaluator."""

    clip: str
    dino: str
    clip_sha256: str
    dino_sha256: str
    versions: dict[str, str]


class MetricsStage(TypedDict):
    """Fields of metrics stage."""

    stage: str
    attempts: int
    instance: str | None
    # Billable seconds of all attempts; wall seconds for a lambda.
    seconds: float
    # Billable seconds at the list price of the instance.
    usd: float


class Metrics(TypedDict):
    """Fields of metrics."""

    version: Literal[1]
    run: str
    subject: str
    category: str
    rows: list[MetricsRow]
    pictures: list[MetricsPicture]
    # Only where the run asks for a curation or an adaptive count.
    curation: NotRequired[MetricsCuration]
    # One sentence: teacher, student, floor, ceiling.
    verdict: str
    evaluator: MetricsEvaluator
    # How the teacher developed; absent where its recipe asks for no samples along the way.
    choice: NotRequired[Choice]
    # Empty until publish adds them.
    stages: list[MetricsStage]
