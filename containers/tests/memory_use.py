"""Memory in use: activations kept for the backward pass, and modules that were not freed."""

import gc
import weakref
from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LivingTensors(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make while each lives; also on the meta device.

    Attributes:
        peak: the most that lived at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._living, self.peak = {}, 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Run the operation and count the storages that are new."""
        result = operation(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, torch.Tensor):
                storage = value.untyped_storage()
                if storage._cdata not in self._living:
                    self._living[storage._cdata] = storage.nbytes()
                    weakref.finalize(storage, self._living.pop, storage._cdata, None)
        self.peak = max(self.peak, sum(self._living.values()))
        return result


def kept_bytes(model: nn.Module, loss: Callable[[], torch.Tensor]) -> int:
    """Return the bytes that computing a loss keeps for the backward pass, without the model's parameters."""
    own = {value.untyped_storage().data_ptr() for value in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        value = loss()
    assert value.requires_grad
    return sum(kept.values())


def living(*, collect: bool = True) -> list[nn.Module]:
    """List every module that is still referenced in this process.

    Args:
        collect: True to free reference cycles first.
    """
    if collect:
        gc.collect()
    # By their types: some objects of torch and transformers do not support isinstance.
    return [each for each in gc.get_objects() if issubclass(type(each), nn.Module)]


def left_over(before: list[nn.Module], expected: Iterable[nn.Module], *, collect: bool = True) -> set[str]:
    """Return the class names of the modules that live now, but neither `before` nor in `expected` ones."""
    known = {id(module) for module in before}
    known |= {id(part) for module in expected for part in module.modules()}
    return {type(module).__name__ for module in living(collect=collect) if id(module) not in known}
