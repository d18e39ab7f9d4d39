"""How a run was evaluated, next to the two papers that its numbers invite a comparison with.

The published facts, with their sources:

    DreamBooth      Ruiz et al., CVPR 2023, arXiv 2208.12242, section 4.1; the dataset and its prompts:
                    github.com/google/dreambooth. Its authors do not say which CLIP they used, nor whether the
                    prompt of CLIP-T has the token word.
    Proxy-Tuning    Wu et al., CVPR 2026, arXiv 2503.10125, as reviews of it report its experiments, without
                    sizes and checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from proxytune.contract.types.plan import Plan
from proxytune.metrics.preprocessing import Preprocessing

# By the authors of DreamBooth, and by the reviews of Proxy-Tuning.
NOT_STATED, NOT_KNOWN = "not stated", "not known"
# The catalogue's row of the encoder that both papers name.
PUBLISHED_DINO = "dino-vits16"
PUBLISHED_LISTS = ("live", "object")
PUBLISHED_PROMPTS, PUBLISHED_IMAGES = 25, 4
PUBLISHED_PHOTOS = range(4, 7)
# Of Stable Diffusion and of Imagen.
PUBLISHED_SIZES = frozenset({512, 1024})


@dataclass(frozen=True)
class EncoderInputs:
    """The preprocessing of each encoder."""

    clip: Preprocessing
    dino: Preprocessing


@dataclass(frozen=True)
class Aspect:
    """One line of the comparison.

    Attributes:
        title: of the aspect.
        here: in this run.
        dreambooth: in DreamBooth's evaluation.
        paper: in Proxy-Tuning's.
        same: True when this run does as DreamBooth does; None when its authors do not say.
    """

    title: str
    here: str
    dreambooth: str
    paper: str
    same: bool | None


def protocol(plan: Plan, inputs: EncoderInputs, photos: int) -> list[Aspect]:
    """List the aspects of the evaluation.

    Args:
        plan: of the run.
        inputs: of its encoders.
        photos: number of references.
    """
    copies = plan["samples"]["picturesPerPrompt"]
    sizes: dict[str, int] = {
        stage["stage"]: stage["size"] for stage in plan["stages"] if stage["kind"] != "training"
    }
    of_models = {name: sizes[f"sample-{name}"] for name in ("teacher", "student") if name in plan["models"]}
    return [
        Aspect(
            "Subjects",
            f"one, a {plan['category']}",
            "30: 21 objects, 9 cats and dogs",
            "9 of DreamBooth’s: 5 objects, 4 live",
            False,
        ),
        Aspect(
            "Photos of a subject",
            f"{photos}, all trained on and compared with",
            "4 to 6, all trained on and compared with",
            "DreamBooth’s",
            photos in PUBLISHED_PHOTOS,
        ),
        _prompts(plan),
        Aspect(
            "Images of a prompt",
            str(copies),
            str(PUBLISHED_IMAGES),
            str(PUBLISHED_IMAGES),
            copies == PUBLISHED_IMAGES,
        ),
        Aspect(
            "Size of the images",
            ", ".join(f"{name} {size} px" for name, size in of_models.items()),
            "Stable Diffusion 512 px, Imagen 1024 px",
            NOT_KNOWN,
            set(of_models.values()) <= PUBLISHED_SIZES,
        ),
        Aspect(
            "DINO",
            _encoder(plan, "dino", inputs.dino),
            "ViT-S/16",
            "ViT-S/16",
            plan["models"]["dino"]["id"] == PUBLISHED_DINO,
        ),
        Aspect("CLIP", _encoder(plan, "clip", inputs.clip), NOT_STATED, NOT_KNOWN, None),
        Aspect(
            "Likeness to the photos",
            "mean over all photos",
            "mean over all photos",
            NOT_KNOWN,
            True,
        ),
        Aspect("Background", "scored with the subject", "scored with the subject", NOT_KNOWN, True),
        Aspect("Text of CLIP-T", "the prompt without the token word", NOT_STATED, NOT_KNOWN, None),
        *_checkpoint(plan),
    ]


def _prompts(plan: Plan) -> Aspect:
    count = len(plan["prompts"]["evaluation"])
    chosen = plan["prompts"].get("evaluationList")
    title = "prompts written for this project" if chosen is None else chosen["title"]
    published = chosen is not None and chosen["name"] in PUBLISHED_LISTS
    return Aspect(
        "Evaluation prompts",
        f"{count} of {title}",
        "25 for objects, 25 for live subjects",
        "25",
        published and count == PUBLISHED_PROMPTS,
    )


def _encoder(plan: Plan, role: Literal["clip", "dino"], inputs: Preprocessing) -> str:
    title = plan["models"][role]["title"]
    return f"{title}; shorter side {inputs.resize} px, centre of {inputs.crop} px"


def _checkpoint(plan: Plan) -> Iterator[Aspect]:
    """Say which checkpoint of the teacher was used, if the run has a teacher."""
    for stage in plan["stages"]:
        if stage["kind"] != "training" or stage["hyperparameters"]["stage"] != "teach":
            continue
        selected = "validation_images" in stage["hyperparameters"]
        yield Aspect(
            "Teacher’s checkpoint",
            "selected by its likeness to the photos"
            if selected
            else f"the last, of step {stage['hyperparameters']['steps']}",
            "after a fixed number of steps",
            NOT_KNOWN,
            not selected,
        )
