"""The interface of a method of tuning, which the trainer and the generator use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn
from torch.nn import Parameter

from proxytune.student.tuning.proof import save_checked
from proxytune.student.tuning.switches import Switch

if TYPE_CHECKING:
    from proxytune.student.config import TrainConfig
    from proxytune.student.families.base import StudentFamily


class Tuning(ABC):
    """A method, for one training.

    A training calls `prepare` before the captions are encoded, `attach` after, `begin_step` before each step,
    and `save` at the end. A sampling job calls `load` alone.

    Args:
        config: of the training.

    Attributes:
        kind: the row of the registry.
        full_precision: True where the weights themselves are trained: they are then float32 on every device,
            and a GPU computes the steps under autocast.
        parameters: name -> what is trained, in an order that never changes, after `attach`.
    """

    kind: ClassVar[str]
    full_precision: ClassVar[bool] = False
    parameters: dict[str, Parameter]

    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    def prepare(self, family: StudentFamily, model: nn.Module) -> None:
        """Change how the family reads prompts, before it encodes the first; most methods do not.

        Raises:
            ProxytuneError: HyperparameterInvalid where the model has no place for what the method learns.
        """
        del family, model

    @abstractmethod
    def attach(self, model: nn.Module) -> nn.Module:
        """Put what is trained on the model, freeze the rest, and return the model to train.

        Random initial values come from torch's global random state. The model computes as before.
        """

    def optimizer_options(self, name: str) -> Mapping[str, float]:
        """Return a parameter's `lr` and `weight_decay` where they are not those of the training."""
        del name
        return {}

    def begin_step(self, step: int) -> None:
        """Get ready for step `step`, 0 the first: in a training of phases other parameters may train."""
        del step

    def finish(self, model: nn.Module) -> None:
        """Give the parameters the values that will be written, where those are rounded."""
        del model

    @abstractmethod
    def write(self, model: Any, folder: Path) -> None:
        """Write what was trained, and tuning.json."""

    @abstractmethod
    def remove(self, model: Any) -> nn.Module:
        """Take it off and return the untuned model."""

    @abstractmethod
    def read(self, model: nn.Module, folder: Path) -> nn.Module:
        """Put on the untuned model what `write` wrote."""

    def save(self, model: nn.Module, folder: Path, probe: Callable[[Any], Tensor]) -> nn.Module:
        """Write what was trained, and prove it; see `save_checked`."""
        self.finish(model)
        saved: nn.Module = save_checked(
            model,
            write=lambda trained: self.write(trained, folder),
            remove=self.remove,
            load=lambda base: self.read(base, folder),
            probe=probe,
        )
        return saved

    @classmethod
    @abstractmethod
    def load(cls, family: StudentFamily, model: nn.Module, folder: Path) -> Switch:
        """Read what was written for a loaded model, which is then ready to generate.

        Raises:
            ProxytuneError: ModelMismatch.
        """
