"""What the learners of all families do alike: a LoRA on a transformer, trained on codes of the proxies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from proxytune.contract.finite import finite
from proxytune.student.adapters import add_adapter, ask, save_adapter
from proxytune.student.config import Lesson
from proxytune.student.image_arrays import full_precision
from proxytune.student.proxy_set import ProxySet
from proxytune.training.device import compute_dtype
from proxytune.training.loop import LoopSettings

if TYPE_CHECKING:
    from peft import PeftModel


@dataclass(frozen=True)
class Optimizer:
    """AdamW's settings of a family's official training; the recipe gives learning rate and steps."""

    betas: tuple[float, float]
    weight_decay: float
    clip: float


class AdapterLearner(ABC):
    """A `lesson.Learner`, and a `training.loop.Trainee` after `prepare`.

    What never changes is computed once: prompts, and the codes of every proxy. Everything but the transformer
    is freed before the first step. A family says what is particular to it by the methods that are abstract
    here.

    Args:
        base: the model folder.
        size: side of the training picture in pixels; must be the model's own.
        device: where to train; bfloat16 on a GPU, float32 elsewhere.

    Attributes:
        optimizer: of the official training.
        proxy_codes: (proxies, codes a picture) int64 on the CPU, which `load` leaves.
    """

    proxy_codes: Tensor
    optimizer: ClassVar[Optimizer]

    def __init__(self, base: Path, size: int, device: torch.device) -> None:
        self._base, self._size, self._device = base, size, device
        self._dtype = compute_dtype(device)

    def prepare(self, proxies: ProxySet, lesson: Lesson) -> Self:
        """Load the weights, encode prompts and proxies, put a fresh adapter on the transformer.

        The adapter's first values are drawn from torch's global state: seed that before.

        Raises:
            ProxytuneError: ModelMismatch, ModelNotFinite, TokenWordUnusable.
        """
        self._proxies, self._lesson = proxies, lesson
        model = self.load()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        self._model: PeftModel = add_adapter(model, rank=lesson.rank, alpha=lesson.alpha)
        # A fresh adapter changes nothing: what is wrong now is the base model's, not the training's.
        answer = ask(self._model, self.probe())
        finite(
            answer, f"student's transformer {type(model).__name__}", "its first proxy, before the first step"
        )
        self.fit(model)
        self._model.train()
        return self

    def named_parameters(self) -> Iterable[tuple[str, Parameter]]:
        """The adapter's parameters."""
        return [(name, value) for name, value in self._model.named_parameters() if value.requires_grad]

    def loop_settings(self, *, steps: int, checkpoint_every: int, learning_rate: float) -> LoopSettings:
        """The official training's optimizer, with a constant learning rate."""
        return LoopSettings(
            steps=steps,
            checkpoint_every=checkpoint_every,
            learning_rate=learning_rate,
            seed=self._lesson.seed,
            betas=self.optimizer.betas,
            weight_decay=self.optimizer.weight_decay,
            clip=self.optimizer.clip,
        )

    def loss(self, step: int, draws: torch.Generator) -> Tensor:
        """Loss of step `step`'s proxies under their prompts, some without: guidance needs them."""
        count = self._lesson.batch_size
        slots = range(step * count, (step + 1) * count)
        numbers = torch.tensor([self._proxies.picture_of(slot, self._lesson.seed) for slot in slots])
        return self.loss_of(numbers, torch.rand(count, generator=draws) < self._lesson.caption_dropout)

    def save(self, folder: Path) -> None:
        """Write the adapter and prove that reading it back gives the trained student.

        Raises:
            ProxytuneError: ModelMismatch when it does not.
        """
        self._model = save_adapter(self._model, folder, self.probe())

    @property
    def captions(self) -> list[str]:
        """Every text that is learnt, once: the plain caption first."""
        return list(dict.fromkeys([self._lesson.caption, *self._proxies.prompts]))

    @abstractmethod
    def load(self) -> nn.Module:
        """Read the model folder, encode `captions`, set `proxy_codes`; return the transformer, bare.

        Raises:
            ProxytuneError: ModelMismatch; TokenWordUnusable for a caption that loses its token word.
        """

    @abstractmethod
    def fit(self, model: nn.Module) -> None:
        """Make the transformer, which carries its adapter, recompute activations that would not fit."""

    @abstractmethod
    def loss_of(self, numbers: Tensor, dropped: Tensor) -> Tensor:
        """Loss of some proxies, a scalar with gradient.

        Args:
            numbers: (B,) int64 on the CPU, which proxies. dropped: (B,) bool, which of them without prompt.
        """

    @abstractmethod
    def probe(self) -> Callable[[Any], Tensor]:
        """Some numbers of the transformer in which the whole adapter takes part: what proves its file."""


def tokenise(
    encode: Callable[[Tensor], Tensor], proxies: ProxySet, device: torch.device, *, at_once: int
) -> Tensor:
    """All proxies as (len(proxies), codes a picture) int64 on the CPU.

    Args:
        encode: from pictures (B, 3, size, size) in [-1, 1] to codes (B, codes a picture).
        at_once: pictures encoded at once; always as many, so that a resumed job rounds as its first attempt.
    """
    batches = []
    with full_precision(), torch.no_grad():
        for start in range(0, len(proxies), at_once):
            numbers = range(start, min(start + at_once, len(proxies)))
            batches.append(encode(proxies.pixels(numbers).to(device)).cpu())
    return torch.cat(batches)
