"""All weights of the transformer.

They are trained in float32: a step of a usual learning rate is smaller than the distance of two bfloat16
numbers. They are saved in bfloat16, the format that they are generated with, and only those that differ from
the base model's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from proxytune.student.modules import bare
from proxytune.student.tuning.base import Tuning
from proxytune.student.tuning.files import FILE, check_shapes, read_kind, read_tensors, refused, write_kind
from proxytune.student.tuning.switches import ReplacedWeights, Switch
from proxytune.training.transfer import to_device

if TYPE_CHECKING:
    from proxytune.student.families.base import StudentFamily

PATTERN = "tuned-*.safetensors"
# Of a file: large enough that a model of 7 billion parameters has four, small enough to be sent again.
BYTES_PER_FILE = 4 * 2**30


class FullTuning(Tuning):
    """Trains the weights themselves; text encoders and image tokenizers stay frozen."""

    kind = "full"
    full_precision = True

    def attach(self, model: nn.Module) -> nn.Module:
        """Make every weight trainable, and keep those of the base model in the CPU's memory."""
        # Its tensors are replaced, so what the family holds of the model stays the model.
        self.parameters = dict(model.float().requires_grad_(True).named_parameters())
        self._base = {name: _compact(value.detach().cpu()) for name, value in self.parameters.items()}
        return model

    def optimizer_options(self, name: str) -> Mapping[str, float]:
        """Leave vectors out of the weight decay, as the official trainings do (LlamaGen train_t2i.py)."""
        return {"weight_decay": 0.0} if self.parameters[name].dim() < 2 else {}

    @torch.no_grad()
    def finish(self, model: nn.Module) -> None:
        """Round the weights to what is written: bfloat16, or the base model's where that is the same."""
        del model
        for name, value in self.parameters.items():
            base = to_device(self._base[name], value.device)
            rounded = value.bfloat16()
            value.copy_(base if torch.equal(rounded, base.bfloat16()) else rounded)

    def write(self, model: Any, folder: Path) -> None:
        """Write the weights that changed."""
        changed = [
            name
            for name, value in self._of(model).items()
            if not torch.equal(value.detach().bfloat16().cpu(), self._base[name].bfloat16())
        ]
        folder.mkdir(parents=True, exist_ok=True)
        sizes = {name: 2 * self.parameters[name].numel() for name in changed}
        for number, names in enumerate(_portions(sizes)):
            tensors = {name: self.parameters[name].detach().bfloat16().cpu().contiguous() for name in names}
            save_file(tensors, folder / PATTERN.replace("*", f"{number:05d}"), metadata={"format": "pt"})
        write_kind(folder, self.kind, tensors=len(changed))

    @torch.no_grad()
    def remove(self, model: Any) -> nn.Module:
        """Put the base model's weights back."""
        for name, value in self._of(model).items():
            value.copy_(to_device(self._base[name], value.device))
        return bare(model, nn.Module)

    @torch.no_grad()
    def read(self, model: nn.Module, folder: Path) -> nn.Module:
        """Copy the weights of the files into the model."""
        weights = self._of(model)
        for name, value in read_weights(model, folder).items():
            weights[name].copy_(to_device(value, weights[name].device))
        return model

    @classmethod
    def load(cls, family: StudentFamily, model: nn.Module, folder: Path) -> Switch:
        """Read the weights, to replace the model's."""
        del family
        return ReplacedWeights(model, read_weights(model, folder))

    def _of(self, model: nn.Module) -> dict[str, nn.Parameter]:
        weights = dict(bare(model, nn.Module).named_parameters())
        return {name: weights[name] for name in self.parameters}


def read_weights(model: nn.Module, folder: Path) -> dict[str, Tensor]:
    """Read the weights that a training of all weights wrote: bfloat16, on the CPU.

    Raises:
        ProxytuneError: ModelMismatch.
    """
    tensors, wanted = read_tensors(sorted(folder.glob(PATTERN))), read_kind(folder).get("tensors")
    if len(tensors) != wanted:
        raise refused(f"{len(tensors)} weights instead of {wanted}", f"{PATTERN} and {FILE}")
    check_shapes(dict(model.named_parameters()), tensors, files=f"{PATTERN} and {FILE}")
    return tensors


def _compact(value: Tensor) -> Tensor:
    """Return the same numbers in half of the memory, where bfloat16 holds them: those of most model files."""
    short = value.bfloat16()
    return short if torch.equal(short.to(value.dtype), value) else value.clone()


def _portions(sizes: Mapping[str, int]) -> Iterator[Iterable[str]]:
    """Divide names, in order, so that each portion's sizes fit a file."""
    portion: list[str] = []
    filled = 0
    for name, size in sizes.items():
        if portion and filled + size > BYTES_PER_FILE:
            yield portion
            portion, filled = [], 0
        portion.append(name)
        filled += size
    if portion:
        yield portion
