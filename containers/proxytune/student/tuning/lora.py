"""A LoRA on the linear layers of the transformer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from proxytune.student.adapters import add_adapter, load_adapter, write_adapter
from proxytune.student.merging import MergedAdapter
from proxytune.student.tuning.base import Tuning
from proxytune.student.tuning.switches import Switch

if TYPE_CHECKING:
    from proxytune.student.families.base import StudentFamily


class LoraTuning(Tuning):
    """Trains peft's two small matrices beside each adapted layer; they are merged to generate."""

    kind = "lora"

    def attach(self, model: nn.Module) -> nn.Module:
        """Put a new adapter on the model."""
        config = self.config
        wrapped: nn.Module = add_adapter(
            model, rank=config.rank, alpha=config.alpha, targets=config.tuning.lora_targets
        )
        self.parameters = {name: value for name, value in wrapped.named_parameters() if value.requires_grad}
        return wrapped

    def write(self, model: Any, folder: Path) -> None:
        """Write peft's files."""
        write_adapter(model, folder)

    def remove(self, model: Any) -> nn.Module:
        """Unwrap the model."""
        plain: nn.Module = model.unload()
        return plain

    def read(self, model: nn.Module, folder: Path) -> nn.Module:
        """Read peft's files, tensor by tensor."""
        return load_adapter(model, folder)

    @classmethod
    def load(cls, family: StudentFamily, model: nn.Module, folder: Path) -> Switch:
        """Read the adapter, to be merged into the weights."""
        del family
        return MergedAdapter(load_adapter(model, folder))
