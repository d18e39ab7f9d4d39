"""The settings of a student's training."""

from __future__ import annotations

from dataclasses import dataclass, field

from proxytune.student.tuning.config import TuningConfig
from proxytune.training.distributed import ALONE, Processes


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a training, apart from its steps and its learning rate.

    Attributes:
        caption: the plain prompt of the subject. Each proxy is learned under its own prompt, which may also
            name a context (`ProxySet.prompts`).
        token_word: the word of these prompts that stands for the subject.
        caption_dropout: share of images trained with the null caption, which guidance needs.
        rank, alpha: the adapter's; it is scaled by alpha / rank.
        batch_size: images per step, those of all processes together.
        seed: of the order in which the proxies are used.
        processes: that share each batch.
        tuning: what of the student is trained.
    """

    caption: str
    token_word: str
    caption_dropout: float
    rank: int
    alpha: int
    batch_size: int
    seed: int
    processes: Processes = ALONE
    tuning: TuningConfig = field(default_factory=TuningConfig)
