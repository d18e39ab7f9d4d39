"""Types of hyperparameters of a training job.

Written by `npm run schemas` from lib/core; do not edit.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class ClassImages(TypedDict):
    """Fields of class images."""

    # Of the class, without the token word.
    prompt: str
    # Drawn by the untuned model, once.
    pictures: int
    # Of their loss relative to that of the subject.
    weight: float
    # Denoising steps.
    steps: int
    guidance: float


class Validation(TypedDict):
    """Fields of validation."""

    # What {s} stands for: the token word and the category.
    subject: str
    # Of the first prompt; the others get one each.
    pictures: int
    # Denoising steps.
    steps: int
    guidance: float
    # Share of the untuned model’s prompt following that a checkpoint must keep.
    keep_prompt: float
    # Share of the photos’ own diversity that a checkpoint must keep.
    keep_diversity: float


class TeachHyperparameters(TypedDict):
    """Fields of teach hyperparameters."""

    stage: Literal["teach"]
    # Model family: which code of the role runs.
    family: str
    # Catalogue id of the base model, for records.
    model: str
    # First random state of the job.
    seed: int
    # LoRA rank.
    rank: int
    # LoRA alpha; the adapter is scaled by alpha / rank.
    alpha: int
    # AdamW learning rate.
    learning_rate: float
    # Optimizer steps.
    steps: int
    # Pictures per optimizer step.
    batch_size: int
    # Side of the square training picture in pixels.
    size: int
    # Steps between two checkpoints.
    checkpoint_every: int
    # The word that stands for the subject; must survive the tokenizers.
    token_word: str
    # Instance prompts, used in turn; JSON in the string.
    prompts: list[str]
    # Which layers carry LoRA: the attention (default), or feed-forward and convolutions too.
    adapted: NotRequired[Literal["attention", "all"]]
    # Pictures of the class that are trained on too, so that it is not forgotten; JSON in the string.
    class_images: NotRequired[ClassImages]
    # Of a weight of the frozen base; without it those of its type.
    bits: NotRequired[Literal[8] | Literal[4]]
    # Whether training pictures are mirrored, each as likely as not.
    flips: NotRequired[bool]
    # What the segmenter looks for; without it nothing is masked automatically.
    mask_prompt: NotRequired[str]
    # Images generated at every checkpoint to select one of them; without it the last is used.
    validation_images: NotRequired[Validation]
    # With validation_images: of the subject alone, then in a context each; JSON in the string.
    validation_prompts: NotRequired[list[str]]
    # The base model's, written into the adapter's files.
    licence: NotRequired[str]
    # Weigh noise levels by Min-SNR with this gamma; DDPM teachers only.
    snr_gamma: NotRequired[float]


class SynthesizeHyperparameters(TypedDict):
    """Fields of synthesize hyperparameters."""

    stage: Literal["synthesize"]
    # Model family: which code of the role runs.
    family: str
    # Catalogue id of the base model, for records.
    model: str
    # First random state of the job.
    seed: int
    # Where this attempt’s shards go; what lies in those of others is not drawn again.
    folder: str
    # How many chunks are wanted so far, from the first on.
    chunks: int


class CurateHyperparameters(TypedDict):
    """Fields of curate hyperparameters."""

    stage: Literal["curate"]
    # Model family: which code of the role runs.
    family: str
    # Catalogue id of the base model, for records.
    model: str
    # First random state of the job.
    seed: int
    # Which round of drawing is over; counts from 1.
    round: int
    # What the segmenter looks for; without it nothing is masked automatically.
    mask_prompt: NotRequired[str]


class LearnHyperparameters(TypedDict):
    """Fields of learn hyperparameters."""

    stage: Literal["learn"]
    # Model family: which code of the role runs.
    family: str
    # Catalogue id of the base model, for records.
    model: str
    # First random state of the job.
    seed: int
    # LoRA rank.
    rank: int
    # LoRA alpha; the adapter is scaled by alpha / rank.
    alpha: int
    # AdamW learning rate.
    learning_rate: float
    # Optimizer steps.
    steps: int
    # Pictures per optimizer step.
    batch_size: int
    # Side of the square training picture in pixels.
    size: int
    # Steps between two checkpoints.
    checkpoint_every: int
    # Caption of every image without one of its own: the prompt that a proxy was synthesised from.
    caption: str
    # The word that stands for the subject; must survive the caption cleaner.
    token_word: str
    # Share of steps trained without caption, for guidance.
    caption_dropout: float
    # Number of proxies that must be there, with `curated` the most there may be; or of variations of the
    # references. None with the references as they are.
    proxies: NotRequired[int]
    # The channel `curation` says which proxies are there and kept.
    curated: NotRequired[bool]
    # Of the background in the loss; with it the channel `proxy-masks` holds a mask of each proxy.
    background_weight: NotRequired[float]
    # How the student is tuned: LoRA (default), all weights, a new token’s embedding and then either, or
    # tokens injected into a frozen model; docs/methods.md.
    tuning: NotRequired[Literal["lora", "full", "embedding-lora", "embedding-full", "inject"]]
    # Layers that carry LoRA: queries, keys and values, or the attention; default: the family’s.
    lora_targets: NotRequired[Literal["qkv", "attention"]]
    # First steps, which train the new token’s embedding alone; embedding-* only.
    embedding_steps: NotRequired[int]
    # Learning rate of these steps.
    embedding_learning_rate: NotRequired[float]
    # First layers that get a text and an image token each; inject only.
    inject_layers: NotRequired[int]
    # Class images that the frozen student generates for prior preservation; inject only.
    prior_images: NotRequired[int]
    # Of the class images’ loss; alpha in CoAR.
    prior_weight: NotRequired[float]
    # Of the distance of the tokens from their start; beta in CoAR.
    anchor_weight: NotRequired[float]
    # Images: the proxies (default), the references, or `proxies` many variations of the references; with the
    # last two there is no channel of proxies but one of references.
    trains_on: NotRequired[Literal["proxies", "references", "augmented"]]
    # Whether references are mirrored, each as likely as not; default: only where they are augmented.
    mirror: NotRequired[bool]


class EvaluateHyperparameters(TypedDict):
    """Fields of evaluate hyperparameters."""

    stage: Literal["evaluate"]
    # Model family: which code of the role runs.
    family: str
    # Catalogue id of the base model, for records.
    model: str
    # First random state of the job.
    seed: int
    # What the segmenter looks for; without it nothing is masked automatically.
    mask_prompt: NotRequired[str]
    # Patches of an image for MaSC; without it as many as the encoder’s folder says.
    masc_patches: NotRequired[int]


class ImportModelHyperparameters(TypedDict):
    """Fields of import model hyperparameters."""

    stage: Literal["import-model"]
    # Catalogue id of the model that is imported, for the log.
    model: str


Hyperparameters = (
    TeachHyperparameters
    | SynthesizeHyperparameters
    | CurateHyperparameters
    | LearnHyperparameters
    | EvaluateHyperparameters
    | ImportModelHyperparameters
)
