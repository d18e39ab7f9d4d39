"""What is held in memory: numbers for the way back, and modules that nobody let go of."""

import gc
from collections.abc import Callable, Iterable

import torch
from torch import nn


def kept_bytes(model: nn.Module, loss: Callable[[], torch.Tensor]) -> int:
    """What computing a loss keeps for the way back, in bytes, beside the model's own parameters."""
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
    """Every module that something in this process still holds.

    Args:
        collect: whether those that only hold one another are looked for and freed first.
    """
    if collect:
        gc.collect()
    # By their types: some of the objects that torch and transformers make answer to no other question.
    return [found for found in gc.get_objects() if issubclass(type(found), nn.Module)]


def left_over(before: list[nn.Module], wanted: Iterable[nn.Module], *, collect: bool = True) -> set[str]:
    """Names of the classes whose modules live now, did not `before`, and are no part of those `wanted`."""
    known = {id(module) for module in before}
    known |= {id(part) for module in wanted for part in module.modules()}
    return {type(module).__name__ for module in living(collect=collect) if id(module) not in known}
