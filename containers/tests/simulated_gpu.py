"""A simulated GPU for machines without one: it computes on the CPU, and refuses everything that would wait.

Its tensors report `cuda` and wrap a tensor of the CPU, with which every operation is really computed. It
refuses what a real GPU refuses (operations on tensors of both devices). While `strict`, it also refuses
everything that waits for a GPU: numbers that Python reads, operations whose result's shape depends on values
(`nonzero`, boolean indexing), and copies from or to memory that is not pinned, including those that torch
makes of lists and of indices on the CPU.

`torch.cuda.set_sync_debug_mode` does the same on a real one, and the tests use it where there is one. Only
this one also refuses a non-blocking copy from memory that is not pinned.
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
# Python reads a number, or a shape depends on values.
READING = {
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
    """Within this context, `cuda` is this GPU.

    Attributes:
        strict: True when waiting is refused.
        copies: number of copies to the GPU.
    """

    now: ClassVar[Gpu | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.strict, self.copies, self.filling = False, 0, False

    def __enter__(self) -> Self:
        """Become the GPU."""
        Gpu.now = self
        # A module on this GPU gets new parameters of another class, not the same ones with new contents.
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        torch._C._group_tensors_by_device_and_dtype = _grouped
        return super().__enter__()

    def __exit__(self, *caught: object) -> None:
        """Restore torch."""
        Gpu.now = None
        torch.__future__.set_overwrite_module_params_on_conversion(False)
        torch._C._group_tensors_by_device_and_dtype = _GROUPED
        super().__exit__(*caught)

    def waits(self, what: str) -> None:
        """Refuse an operation, while strict."""
        if self.strict:
            raise WaitingError(f"{what} waits for the GPU")

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Redirect what is created on the GPU, or copied to it or back, to `OnGpu`."""
        given, name = dict(kwargs or {}), getattr(function, "__name__", "")
        if function is getattr(Tensor, name, None) and hasattr(self, f"_{name}"):
            return getattr(self, f"_{name}")(*args, **given)
        if function is Tensor.__setitem__ and not isinstance(args[2], Tensor):
            return self._fill(*args)
        if not _is_gpu(given.get("device")):
            inside = isinstance(function, WRITTEN_IN_C) or function is Tensor.backward
            with _Created() if inside and _among(args) else nullcontext():
                return function(*args, **given)
        if name in ("tensor", "as_tensor", "asarray"):
            self.waits(f"torch.{name}(…, device='cuda') of Python's numbers")
        return OnGpu.of(function(*args, **{**given, "device": CPU}))

    def _to(self, values: Tensor, *args: Any, **given: Any) -> Tensor:
        if args and isinstance(args[0], Tensor):
            args = (args[0].device, args[0].dtype, *args[1:])
        device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **given)
        source, target = isinstance(values, OnGpu), _is_gpu(device)
        if device is None or source == target:
            return values if dtype is None else Tensor.to(values, dtype)
        if not target:
            return self._cpu(values).to(dtype or values.dtype)
        if not (non_blocking and getattr(values, "pinned", False)):
            self.waits(f"a copy of {tuple(values.shape)} that is not queued from pinned memory")
        self.copies += 1
        return OnGpu.of(values.detach().to(dtype or values.dtype, copy=True))

    def _cuda(self, values: Tensor, *_: Any, **given: Any) -> Tensor:
        return self._to(values, GPU, **given)

    def _cpu(self, values: Tensor) -> Tensor:
        if not isinstance(values, OnGpu):
            return values
        self.waits(f"reading {tuple(values.shape)}")
        return values.cpu_tensor.detach().clone()

    def _tolist(self, values: Tensor) -> Any:
        return Tensor.tolist(self._cpu(values))

    def _new_tensor(self, values: Tensor, data: Any, **given: Any) -> Tensor:
        if not isinstance(values, OnGpu):
            return Tensor.new_tensor(values, data, **given)
        self.waits("new_tensor of Python's numbers")
        return OnGpu.of(values.cpu_tensor.new_tensor(data, **given))

    def _pin_memory(self, values: Tensor) -> Tensor:
        pinned: Any = values.clone()
        pinned.pinned = True
        return pinned

    def _fill(self, values: Tensor, indices: Any, number: Any) -> None:
        # A Python number is not copied to the GPU; torch fills with it.
        self.filling = True
        try:
            Tensor.__setitem__(values, indices, number)
        finally:
            self.filling = False


class _Created(TorchDispatchMode):
    """Puts the tensors that torch's C++ creates, while it computes on the GPU, on the GPU too."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Put what was created without a tensor on the GPU."""
        result = operation(*args, **(kwargs or {}))
        created = not any(isinstance(value, Tensor) for value in tree_leaves((args, kwargs)))
        return tree_map_only(Tensor, OnGpu.of, result) if created else result


def _among(values: Any) -> bool:
    """Return True when a tensor of the GPU is among arguments, or lists of them."""
    return any(
        isinstance(value, OnGpu) or (isinstance(value, list | tuple) and _among(value)) for value in values
    )


class OnGpu(Tensor):
    """A tensor on the simulated GPU."""

    cpu_tensor: Tensor
    # mypy checks overrides against torch's declarations, which are methods and plain attributes.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, cpu_tensor: Tensor) -> OnGpu:
        """Wrap a tensor of the CPU."""
        made: OnGpu = Tensor._make_wrapper_subclass(
            cls,
            cpu_tensor.size(),
            cpu_tensor.stride(),
            cpu_tensor.storage_offset(),
            dtype=cpu_tensor.dtype,
            device=CPU,
            requires_grad=cpu_tensor.requires_grad,
        )
        made.cpu_tensor = cpu_tensor
        return made

    @classmethod
    def of(cls, values: Any) -> Any:
        """Wrap a tensor of the CPU; anything else is returned as it is."""
        return cls(values) if isinstance(values, Tensor) and not isinstance(values, OnGpu) else values

    # Torch declares these as attributes, and the base class's answer would be the CPU.
    device = property(lambda self: GPU)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_cpu = property(lambda self: False)  # type: ignore[assignment]

    # Torch's own takes an argument that nobody passes.
    def __repr__(self) -> str:  # type: ignore[override]
        """Describe it for messages."""
        return f"OnGpu({tuple(self.shape)}, {self.dtype})"

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute an operation, unless a GPU would refuse it or have to be waited for."""
        given = kwargs or {}
        _check(operation, args, given)
        values, options = tree_map_only(OnGpu, lambda each: each.cpu_tensor, (args, given))
        result = operation(*values, **options)
        if _returns_cpu(operation, args):
            return args[0]
        return return_and_correct_aliasing(operation, args, given, tree_map_only(Tensor, OnGpu.of, result))


def _check(operation: Any, args: Any, given: Any) -> None:
    gpu, packet = Gpu.now, operation.overloadpacket
    assert gpu is not None, "a tensor of the simulated GPU outlived it"
    on_cpu = [
        value
        for value in tree_leaves((args, given))
        if isinstance(value, Tensor) and not isinstance(value, OnGpu) and value.dim()
    ]
    if packet in READING:
        gpu.waits(str(operation))
    elif packet in INDEXING:
        if on_cpu:
            gpu.waits(f"{operation} with an index on the CPU")
        if any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]):
            gpu.waits(f"{operation} with a mask")
    elif packet is aten.copy_:
        if on_cpu or (not isinstance(args[1], OnGpu) and not gpu.filling):
            gpu.waits(f"copy_ between {args[0]!r} and the CPU")
    elif on_cpu:
        raise RuntimeError(f"{operation} of tensors on both devices: {on_cpu[0].shape} is on the CPU")


def _returns_cpu(operation: Any, args: Any) -> bool:
    """Return True when values were copied into a tensor of the CPU."""
    return operation.overloadpacket is aten.copy_ and not isinstance(args[0], OnGpu)


_GROUPED = torch._C._group_tensors_by_device_and_dtype


def _grouped(lists: Any, with_indices: bool = False) -> Any:
    """Group as torch does for clipping and optimizers, but by the device that the tensors report."""
    groups = _GROUPED(lists, with_indices)
    return {(each[0][0][0].device, kind): each for (_, kind), each in groups.items()}


def _is_gpu(device: Any) -> bool:
    if device is None:
        return False
    return isinstance(device, int) or torch.device(device).type == "cuda"
