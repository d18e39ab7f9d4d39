"""The settings of the pretraining. What decides a result is here, so that it can be hashed and recorded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

# Pictures of one chunk of the corpus.
CHUNK = 2000
# The parts of each, on one thread; both take about as long.
WORKERS: dict[str, tuple[str, ...]] = {
    "teacher": ("vae", "teacher", "dino", "segmenter"),
    "student": ("vq", "student", "clip", "siglip"),
}


@dataclass(frozen=True)
class PartSettings:
    """How one part is trained.

    Attributes:
        steps, batch: optimizer steps, and pictures in each.
        learning_rate: AdamW's, after `warmup` steps; flat for the share `flat` of the steps, then a cosine
            to a hundredth.
        weight_decay, betas: AdamW's.
        average: decay of the running average of the weights, which is what is used afterwards.
        evaluate_every: steps between two evaluations on held-out pictures.
    """

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    average: float = 0.998
    flat: float = 0.0
    warmup: int = 100
    clip: float = 1.0
    checkpoint_every: int = 100
    evaluate_every: int = 400


@dataclass(frozen=True)
class Settings:
    """A whole pretraining. Learning rates and the ratio of steps were found in one trial on this domain.

    Attributes:
        seed: of the corpus, the first weights, and all random numbers.
        pictures: in the corpus, four of each appearance.
        held_out: pictures at its end that are not trained on.
        parts: by name; the order is that of the workers.
    """

    seed: int = 0
    pictures: int = 72_000
    held_out: int = 2_000
    parts: dict[str, PartSettings] = field(
        default_factory=lambda: {
            "vae": PartSettings(2_400, 16, 1.5e-3, weight_decay=0.0),
            "teacher": PartSettings(3_000, 48, 8e-4, average=0.9985, flat=0.3),
            "vq": PartSettings(3_000, 16, 1.5e-3, weight_decay=0.0),
            "student": PartSettings(2_600, 48, 1.5e-3, weight_decay=0.03, betas=(0.9, 0.95), flat=0.3),
            "clip": PartSettings(900, 96, 1e-3),
            "dino": PartSettings(700, 64, 1e-3),
            "segmenter": PartSettings(3_600, 64, 5e-4),
            "siglip": PartSettings(1_100, 96, 1.5e-3),
        }
    )

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, for the card and for hashing."""
        return asdict(self)


def trial(steps: int = 3) -> Settings:
    """The same training cut off: a few steps of each part on a small corpus. For tests."""
    whole = Settings()
    short = {
        name: PartSettings(
            **{
                **asdict(part),
                "steps": steps,
                "batch": 8,
                "warmup": 2,
                "checkpoint_every": 1,
                "evaluate_every": steps,
            }
        )
        for name, part in whole.parts.items()
    }
    return Settings(pictures=240, held_out=40, parts=short)
