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
    # Lower end of the 95 % bootstrap interval over prompts and images; null for one image.
    low: float | None
    # Upper end of it.
    high: float | None


class MetricsRowAttractor(TypedDict):
    """Fields of metrics row attractor."""

    reference: int
    share: float


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
    # MaSC of the subject’s region; absent where it is not measured, null without a subject.
    masc_identity: NotRequired[Score | None]
    # Lower quartile of MaSC identity over the images.
    masc_quartile: NotRequired[float]
    # Median of it.
    masc_median: NotRequired[float]
    # MaSC of the rest and the prompt; null where no image has a rest, or no prompt.
    masc_prompt: NotRequired[Score | None]
    # DreamSim similarity to the references; absent where it is not measured.
    dreamsim: NotRequired[Score]
    # DINO similarity to the nearest reference alone.
    nearest_dino: Score
    # Share of images nearer to a reference than any two references are to each other; null with one.
    copies: float | None
    # The reference that is the nearest of most images, and their share.
    attractor: MetricsRowAttractor
    # 1 minus DINO similarity to the other images of the prompt; null where each prompt has one image.
    diversity: Score | None
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
    masc_identity: NotRequired[float | None]
    masc_prompt: NotRequired[float | None]
    dreamsim: NotRequired[float]
    # Position of the nearest reference by DINO.
    nearest: int
    nearest_dino: float
    diversity: float | None
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


class Difference(TypedDict):
    """Fields of difference."""

    mean: float
    # Lower end of the 95 % bootstrap interval.
    low: float
    # Upper end of it.
    high: float
    # Of a two-sided sign-flip test; at least 2 / 2 ** pairs.
    p: float
    # Prompts, or images where there is one prompt.
    pairs: int


class MetricsComparison(TypedDict):
    """Fields of metrics comparison."""

    # null where each model has one image.
    clip_i: Difference | None
    clip_t: Difference | None
    dino: Difference | None
    masc_identity: NotRequired[Difference | None]
    masc_prompt: NotRequired[Difference | None]
    dreamsim: NotRequired[Difference | None]


class MetricsEvaluator(TypedDict):
    """Fields of metrics evaluator."""

    clip: str
    dino: str
    clip_sha256: str
    dino_sha256: str
    siglip: NotRequired[str]
    siglip_sha256: NotRequired[str]
    # Found the subject for MaSC.
    segmenter: NotRequired[str]
    segmenter_sha256: NotRequired[str]
    dreamsim: NotRequired[str]
    dreamsim_sha256: NotRequired[str]
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
    # Student minus teacher, image by image.
    comparison: MetricsComparison
    # Whether the subject was learnt, with the scores that show it, and the better of teacher and student.
    verdict: str
    evaluator: MetricsEvaluator
    # How the teacher developed; absent where its recipe asks for no samples along the way.
    choice: NotRequired[Choice]
    # Empty until publish adds them.
    stages: list[MetricsStage]
