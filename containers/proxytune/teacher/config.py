"""The settings of a teacher's training."""

from __future__ import annotations

from dataclasses import dataclass

from proxytune.contract.names import SEEDS
from proxytune.contract.types.hyperparameters import TeachHyperparameters
from proxytune.teacher.photos import PhotoSet
from proxytune.training.distributed import ALONE, Processes

# Above the seeds of proxies and of the evaluation's images (names.json): a checkpoint is not selected by the
# very noise that it is scored with.
FIRST_VALIDATION_SEED = SEEDS.streams.validation * SEEDS.stream_width


@dataclass(frozen=True)
class ClassImages:
    """Images of the subject's class, trained on for prior preservation.

    Attributes:
        prompt: of the class, without the token word.
        images: as the base model generated them.
        weight: of their loss relative to the subject's.
    """

    prompt: str
    images: PhotoSet
    weight: float


@dataclass(frozen=True)
class ValidationImage:
    """One of the images that are generated at every checkpoint.

    Attributes:
        number: its index among them.
        prompt: of the image.
        in_context: True when the prompt names a context.
        seed: of its noise.
    """

    number: int
    prompt: str
    in_context: bool
    seed: int


def validation_images(hyperparameters: TeachHyperparameters) -> list[ValidationImage]:
    """List the images of a checkpoint: those of the subject alone, then one in each context.

    Args:
        hyperparameters: those of stage teach; without `validation_images` there are none.
    """
    if "validation_images" not in hyperparameters:
        return []
    settings, templates = hyperparameters["validation_images"], hyperparameters["validation_prompts"]
    alone, *contexts = (template.replace("{s}", settings["subject"]) for template in templates)
    prompts = [(alone, False)] * settings["pictures"] + [(prompt, True) for prompt in contexts]
    first = FIRST_VALIDATION_SEED + hyperparameters["seed"]
    return [ValidationImage(number, *prompt, first + number) for number, prompt in enumerate(prompts)]


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a training, apart from the photos and the learning rate.

    Attributes:
        prompts: instance prompts, used in turn for the photos without a caption of their own.
        token_word: the word of these prompts that stands for the subject.
        rank, alpha: the adapter's; it is scaled by alpha / rank.
        batch_size: images per step, those of all processes together.
        seed: of the order in which the photos are used.
        adapted: layers that carry the adapter: `attention`, or `all` for feed-forward and convolutions too.
        bits: per weight of the frozen network, 8 or 4; None for the 16 or 32 of its type.
        snr_gamma: weigh noise levels by Min-SNR with this gamma; None weighs all alike.
        validation_prompts: of the images that are generated at the checkpoints, each once.
        steps: number of steps; long trainings are compiled.
        processes: that share each batch.
        class_images: for prior preservation; each step then has as many of them as of the subject.
    """

    prompts: list[str]
    token_word: str
    rank: int
    alpha: int
    batch_size: int
    seed: int
    adapted: str = "attention"
    snr_gamma: float | None = None
    bits: int | None = None
    validation_prompts: tuple[str, ...] = ()
    processes: Processes = ALONE
    steps: int = 0
    class_images: ClassImages | None = None

    @classmethod
    def from_hyperparameters(
        cls,
        hyperparameters: TeachHyperparameters,
        *,
        class_images: ClassImages | None = None,
        processes: Processes = ALONE,
    ) -> TrainConfig:
        """Read the settings from the hyperparameters of stage teach."""
        validation_prompts = dict.fromkeys(image.prompt for image in validation_images(hyperparameters))
        return cls(
            prompts=hyperparameters["prompts"],
            token_word=hyperparameters["token_word"],
            rank=hyperparameters["rank"],
            alpha=hyperparameters["alpha"],
            batch_size=hyperparameters["batch_size"],
            seed=hyperparameters["seed"],
            steps=hyperparameters["steps"],
            adapted=hyperparameters.get("adapted", "attention"),
            snr_gamma=hyperparameters.get("snr_gamma"),
            bits=hyperparameters.get("bits"),
            validation_prompts=tuple(validation_prompts),
            class_images=class_images,
            processes=processes,
        )
