"""Types of plan.json of a run.

Written by `npm run schemas` from lib/core; do not edit.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from proxytune.contract.types.chunk import Sampler
from proxytune.contract.types.hyperparameters import (
    CurateHyperparameters,
    EvaluateHyperparameters,
    LearnHyperparameters,
    SynthesizeHyperparameters,
    TeachHyperparameters,
)
from proxytune.contract.types.model_manifest import Licence


class PlannedMethod(TypedDict):
    """Fields of planned method."""

    id: Literal["proxy", "direct-lora", "direct-full", "augmentation"]
    title: str
    trainsOn: Literal["proxies", "references", "augmented"]
    source: str


class ChosenModel(TypedDict):
    """Fields of chosen model."""

    id: str
    title: str
    family: str
    # The full-size model whose place this tiny one takes.
    standInFor: str | None
    source: str
    licence: Licence
    # Digest of its files when the run was planned; null where nothing was imported yet.
    digest: NotRequired[str | None]


class PlanModels(TypedDict):
    """Fields of plan models."""

    # Missing with a method that trains none.
    teacher: NotRequired[ChosenModel]
    student: ChosenModel
    clip: ChosenModel
    dino: ChosenModel
    # Finds the subject in images; missing where nothing is masked automatically, nor measured by MaSC.
    segmenter: NotRequired[ChosenModel]
    # The encoder of MaSC; missing where it is not measured.
    siglip: NotRequired[ChosenModel]
    # The encoders of DreamSim; missing where it is not measured.
    dreamsim: NotRequired[ChosenModel]


class PlanWorld(TypedDict):
    """Fields of plan world."""

    name: str
    title: str
    # What a reader of the report should know of this domain.
    note: str | None


class PlannedPrompt(TypedDict):
    """Fields of planned prompt."""

    # As the models are asked.
    prompt: str
    # Without the token word, as CLIP-T compares.
    plain: str


class PlanPromptsEvaluationList(TypedDict):
    """Fields of plan prompts evaluation list."""

    name: str
    title: str
    source: str
    chosenBy: Literal["request", "category", "domain"]


class PlanPrompts(TypedDict):
    """Fields of plan prompts."""

    # Prompt of the proxies without a context.
    proxy: str
    # Prompts of the others, in turn; empty when there are none.
    inContext: list[PlannedPrompt]
    evaluation: list[PlannedPrompt]
    # The list that the evaluation prompts are from; null in plans from before there were several.
    evaluationList: NotRequired[PlanPromptsEvaluationList | None]


class PlanSamples(TypedDict):
    """Fields of plan samples."""

    picturesPerPrompt: int
    # Of one variant.
    pictures: int


class CurationPlanSafety(TypedDict):
    """Fields of curation plan safety."""

    # From which CLIP’s probability on is too much.
    probability: float
    # Texts of what no proxy should show.
    unsafe: list[str]
    # Alternative texts, in addition to the proxy’s own prompt.
    safe: list[str]


class CurationPlanAdaptive(TypedDict):
    """Fields of curation plan adaptive."""

    # A proxy nearer to an earlier one than this share of the usual is nothing new.
    reach: float
    # Below this share of new pictures, more of them add nothing.
    newShare: float
    # Most that their mean and their spread may still change.
    drift: float


class CurationPlan(TypedDict):
    """Fields of curation plan."""

    # Least share of the photos’ likeness among themselves; null: not asked.
    fidelity: float | None
    # Least share of the photos’ likeness to the category; null: not asked.
    prompt: float | None
    # Least distance to a kept proxy, as share of the photos’ distance; null: not asked.
    duplicates: float | None
    # null: not asked, or the domain’s CLIP knows no words for it.
    safety: CurationPlanSafety | None
    # DINO likeness of photos of one subject, where a single photo cannot tell.
    likeness: float
    # Fewer kept proxies end the run.
    minimum: int
    # null: all proxies are drawn.
    adaptive: CurationPlanAdaptive | None
    # Proxies that are there at the end of each round.
    rounds: list[int]


PlannedHyperparameters = (
    TeachHyperparameters
    | SynthesizeHyperparameters
    | CurateHyperparameters
    | LearnHyperparameters
    | EvaluateHyperparameters
)


class TrainingPlan(TypedDict):
    """Fields of training plan."""

    instanceType: str
    # Expected billable minutes.
    minutes: float
    # Expected price of these minutes; on spot with the saving that is usual.
    usd: float
    # A training stops then; a transform is stopped then.
    maxRuntimeSeconds: int
    stage: Literal["teach", "curate", "learn", "evaluate"]
    kind: Literal["training"]
    spot: bool
    # Channel name to key prefix.
    channels: dict[str, str]
    # Those that the job is given only when there is something below the prefix.
    optionalChannels: NotRequired[dict[str, str]]
    # model.tar.gz, or the files as they are.
    compressed: bool
    hyperparameters: PlannedHyperparameters


class StagePrice(TypedDict):
    """Fields of stage price."""

    instanceType: str
    minutes: float
    usd: float


class GenerationPlanAlternatives(TypedDict):
    """Fields of generation plan alternatives."""

    transform: StagePrice | None
    spot: StagePrice | None


class GenerationPlan(TypedDict):
    """Fields of generation plan."""

    instanceType: str
    # Expected billable minutes.
    minutes: float
    # Expected price of these minutes; on spot with the saving that is usual.
    usd: float
    # A training stops then; a transform is stopped then.
    maxRuntimeSeconds: int
    stage: Literal["synthesize", "sample-teacher", "sample-student"]
    # A batch transform, or a managed-spot training job that writes the same shards.
    kind: Literal["transform", "spot"]
    # They share the chunks; minutes are those of each.
    instances: NotRequired[int]
    # Time and price of the stage as each kind of job; null where the instance type is not offered for it.
    alternatives: NotRequired[GenerationPlanAlternatives]
    # The stage whose adapter is used.
    adapterOf: Literal["teach", "learn"]
    role: Literal["teacher", "student"]
    size: int
    batchSize: int
    sampler: Sampler
    chunks: int
    pictures: int
    picturesPerChunk: int


StagePlan = TrainingPlan | GenerationPlan


class PlanEstimate(TypedDict):
    """Fields of plan estimate."""

    minutes: float
    usd: float
    pricesAsOf: str


class JobImage(TypedDict):
    """Fields of job image."""

    # As SageMaker is asked for it: registry, repository and tag.
    uri: str
    # Digest of its manifest, which fixes its content.
    digest: str


class Plan(TypedDict):
    """Fields of plan."""

    version: Literal[1]
    runId: str
    subject: str
    bucket: str
    category: str
    tokenWord: str
    preset: str
    seed: int
    # The request with every default filled in.
    request: dict[str, Any]
    # How the student is tuned; plans from before there were several are of proxy.
    method: NotRequired[PlannedMethod]
    # Fields of the request that have no effect with this method.
    unused: NotRequired[list[str]]
    models: PlanModels
    # What the pictures are of.
    world: PlanWorld
    prompts: PlanPrompts
    samples: PlanSamples
    # null with a method that has none.
    proxies: int | None
    # Those whose prompt names a context, spread evenly over all.
    proxiesInContext: int
    # null: every proxy is drawn and kept.
    curation: NotRequired[CurationPlan | None]
    stages: list[StagePlan]
    estimate: PlanEstimate
    # The container image of all jobs; null for a plan that is not carried out.
    image: NotRequired[JobImage | None]
    versions: dict[str, str]
