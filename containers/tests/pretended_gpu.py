"""A GPU for tests on machines without one: it computes on the CPU, and refuses what would wait for it.

Tensors on it say `cuda` and hold a tensor of the CPU, with which every operation is really computed. What a
real GPU refuses is refused here too (operations on tensors of both devices). While `strict`, so is all that
waits for a GPU: numbers that Python asks for, operations whose result's shape depends on numbers (`nonzero`,
indexing by booleans), and copies from or to memory that is not pinned, also those that torch makes by itself
of lists and of indices that lie on the CPU.

`torch.cuda.set_sync_debug_mode` says the same of a real one, and the tests use it where there is one. Here
alone a copy that asks not to wait is refused too when it comes from memory that is not pinned.
"""

from __future__ import annotations

from contextlib import nullcontext
from types import BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")
aten = torch.ops.aten
# Python wants a number, or a shape depends on numbers.
ASKING = {
    aten._local_scalar_dense,
    aten.is_nonzero,
    aten.nonzero,
    aten.masked_select,
    aten.equal,
    aten._unique2,
    aten.unique_dim,
    aten.unique_consecutive,
    aten.repeat_interleave,
}
INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index}
WRITTEN_IN_C = BuiltinFunctionType | MethodDescriptorType | WrapperDescriptorType


class WaitingError(AssertionError):
    """Something would have waited for the GPU."""


class Gpu(TorchFunctionMode):
    """While inside, `cuda` is this GPU.

    Attributes:
        strict: whether waiting is refused.
        copies: how many came here, in line with the work.
    """

    now: ClassVar[Gpu | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.strict, self.copies, self.filling = False, 0, False

    def __enter__(self) -> Self:
        """Be the GPU."""
        Gpu.now = self
        # A module moved here gets parameters of another kind, not the same with other contents.
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        torch._C._group_tensors_by_device_and_dtype = _grouped
        return super().__enter__()

    def __exit__(self, *caught: object) -> None:
        """Be gone."""
        Gpu.now = None
        torch.__future__.set_overwrite_module_params_on_conversion(False)
        torch._C._group_tensors_by_device_and_dtype = _GROUPED
        super().__exit__(*caught)

    def waits(self, what: str) -> None:
        """Refuse it, while strict."""
        if self.strict:
            raise WaitingError(f"{what} waits for the GPU")

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Lead what is made on the GPU, or goes there and back, to `OnGpu`."""
        given, name = dict(kwargs or {}), getattr(function, "__name__", "")
        if function is getattr(Tensor, name, None) and hasattr(self, f"_{name}"):
            return getattr(self, f"_{name}")(*args, **given)
        if function is Tensor.__setitem__ and not isinstance(args[2], Tensor):
            return self._fill(*args)
        if not _is_gpu(given.get("device")):
            inside = isinstance(function, WRITTEN_IN_C) or function is Tensor.backward
            with _Made() if inside and _among(args) else nullcontext():
                return function(*args, **given)
        if name in ("tensor", "as_tensor", "asarray"):
            self.waits(f"torch.{name}(…, device='cuda') of Python's numbers")
        return OnGpu.of(function(*args, **{**given, "device": CPU}))

    def _to(self, values: Tensor, *args: Any, **given: Any) -> Tensor:
        if args and isinstance(args[0], Tensor):
            args = (args[0].device, args[0].dtype, *args[1:])
        device, dtype, at_once, _ = torch._C._nn._parse_to(*args, **given)
        here, there = isinstance(values, OnGpu), _is_gpu(device)
        if device is None or here == there:
            return values if dtype is None else Tensor.to(values, dtype)
        if not there:
            return self._cpu(values).to(dtype or values.dtype)
        if not (at_once and getattr(values, "pinned", False)):
            self.waits(f"a copy of {tuple(values.shape)} that is not put in line from pinned memory")
        self.copies += 1
        return OnGpu.of(values.detach().to(dtype or values.dtype, copy=True))

    def _cuda(self, values: Tensor, *_: Any, **given: Any) -> Tensor:
        return self._to(values, GPU, **given)

    def _cpu(self, values: Tensor) -> Tensor:
        if not isinstance(values, OnGpu):
            return values
        self.waits(f"reading {tuple(values.shape)}")
        return values.held.detach().clone()

    def _tolist(self, values: Tensor) -> Any:
        return Tensor.tolist(self._cpu(values))

    def _new_tensor(self, values: Tensor, data: Any, **given: Any) -> Tensor:
        if not isinstance(values, OnGpu):
            return Tensor.new_tensor(values, data, **given)
        self.waits("new_tensor of Python's numbers")
        return OnGpu.of(values.held.new_tensor(data, **given))

    def _pin_memory(self, values: Tensor) -> Tensor:
        pinned: Any = values.clone()
        pinned.pinned = True
        return pinned

    def _fill(self, values: Tensor, places: Any, number: Any) -> None:
        # Of a number of Python's torch makes no copy on a GPU, but fills.
        self.filling = True
        try:
            Tensor.__setitem__(values, places, number)
        finally:
            self.filling = False


class _Made(TorchDispatchMode):
    """What torch's own C++ makes while it computes with tensors of the GPU is there too."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Put what was made of no tensor on the GPU."""
        result = operation(*args, **(kwargs or {}))
        fresh = not any(isinstance(value, Tensor) for value in tree_leaves((args, kwargs)))
        return tree_map_only(Tensor, OnGpu.of, result) if fresh else result


def _among(values: Any) -> bool:
    """Whether a tensor of the GPU is among arguments, or lists of them."""
    return any(
        isinstance(value, OnGpu) or (isinstance(value, list | tuple) and _among(value)) for value in values
    )


class OnGpu(Tensor):
    """A tensor on it."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, held: Tensor) -> OnGpu:
        """Pretend that a tensor of the CPU is there."""
        made: OnGpu = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            held.stride(),
            held.storage_offset(),
            dtype=held.dtype,
            device=CPU,
            requires_grad=held.requires_grad,
        )
        made.held = held
        return made

    @classmethod
    def of(cls, values: Any) -> Any:
        """The same there; what is no tensor of the CPU as it is."""
        return cls(values) if isinstance(values, Tensor) and not isinstance(values, OnGpu) else values

    device = property(lambda self: GPU)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_cpu = property(lambda self: False)  # type: ignore[assignment]

    def __repr__(self) -> str:  # type: ignore[override]
        """For messages."""
        return f"OnGpu({tuple(self.shape)}, {self.dtype})"

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute it, unless a GPU would refuse it or be waited for."""
        given = kwargs or {}
        _check(operation, args, given)
        held, options = tree_map_only(OnGpu, lambda each: each.held, (args, given))
        result = operation(*held, **options)
        if _returns_cpu(operation, args):
            return args[0]
        return return_and_correct_aliasing(operation, args, given, tree_map_only(Tensor, OnGpu.of, result))


def _check(operation: Any, args: Any, given: Any) -> None:
    gpu, packet = Gpu.now, operation.overloadpacket
    assert gpu is not None, "a tensor of the pretended GPU outlived it"
    strangers = [
        value
        for value in tree_leaves((args, given))
        if isinstance(value, Tensor) and not isinstance(value, OnGpu) and value.dim()
    ]
    if packet in ASKING:
        gpu.waits(str(operation))
    elif packet in INDEXING:
        if strangers:
            gpu.waits(f"{operation} with an index on the CPU")
        if any(place is not None and place.dtype in (torch.bool, torch.uint8) for place in args[1]):
            gpu.waits(f"{operation} with a mask")
    elif packet is aten.copy_:
        if strangers or (not isinstance(args[1], OnGpu) and not gpu.filling):
            gpu.waits(f"copy_ between {args[0]!r} and the CPU")
    elif strangers:
        raise RuntimeError(f"{operation} of tensors on both devices: {strangers[0].shape} is on the CPU")


def _returns_cpu(operation: Any, args: Any) -> bool:
    """Whether numbers were copied into a tensor of the CPU."""
    return operation.overloadpacket is aten.copy_ and not isinstance(args[0], OnGpu)


_GROUPED = torch._C._group_tensors_by_device_and_dtype


def _grouped(lists: Any, with_indices: bool = False) -> Any:
    """As torch's own, which clipping and optimizers ask, but with the device that tensors say."""
    groups = _GROUPED(lists, with_indices)
    return {(each[0][0][0].device, kind): each for (_, kind), each in groups.items()}


def _is_gpu(device: Any) -> bool:
    if device is None:
        return False
    return isinstance(device, int) or torch.device(device).type == "cuda"
