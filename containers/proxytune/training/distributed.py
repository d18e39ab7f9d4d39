"""One training on several GPUs of one instance: a process per GPU, gradients averaged after every step.

Each process samples the random numbers of the entire batch and computes its own share of it. So the results
are those of one process (but for the order of sums, and for dropout, which each process draws for itself), a
checkpoint can be resumed by any number of processes, and no setting depends on it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor

# While the first process generates validation or class images, the others wait for it.
TIMEOUT = timedelta(hours=6)


@dataclass(frozen=True)
class Processes:
    """This process among those that share a training.

    Attributes:
        rank: of this process; rank 0 writes files and reports progress.
        count: of all processes.
    """

    rank: int = 0
    count: int = 1
    _flags: Any = field(default=None, repr=False)

    @property
    def first(self) -> bool:
        """True for the process that writes files and reports progress."""
        return self.rank == 0

    def share(self, total: int) -> slice:
        """Return this process's share of a batch of `total` images, a multiple of the number of processes."""
        part = total // self.count
        return slice(self.rank * part, (self.rank + 1) * part)

    def average(self, parameters: Iterable[Tensor], loss: Tensor) -> Tensor:
        """Average the gradients over the processes, so that they are those of the entire batch.

        Returns:
            The mean of the processes' losses.
        """
        if self.count == 1:
            return loss
        gradients = [value.grad for value in parameters if value.grad is not None]
        # One message: between GPUs of one instance, the time goes with the number of messages.
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), loss.detach().view(1)])
        torch.distributed.all_reduce(flat)
        flat /= self.count
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()
        return flat[-1]

    def any(self, flag: bool) -> bool:
        """Return True when the flag is set in any process; all must call this at the same point.

        Flags are exchanged between the CPUs, so that nothing waits for a GPU; the processes wait for one
        another.
        """
        if self.count == 1:
            return flag
        flags = torch.tensor([int(flag)])
        torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX, group=self._flags)
        return bool(flags.item())

    def wait(self) -> None:
        """Wait until all processes have reached this point."""
        self.any(False)


ALONE = Processes()


def rank_and_count() -> tuple[int, int]:
    """Return this process's rank and the number of processes, for work without communication between them.

    Each process gets a GPU of its own.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count > 1 and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return int(os.environ.get("RANK", "0")), count


def join() -> Processes:
    """Connect the processes that torchrun started; returns ALONE without torchrun."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return ALONE
    gpus = torch.cuda.is_available()
    if gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if gpus else "gloo", timeout=TIMEOUT)
    flags = torch.distributed.new_group(backend="gloo", timeout=TIMEOUT)
    processes = Processes(torch.distributed.get_rank(), count, flags)
    if not processes.first:
        # All processes do the same; one logs it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return processes


def leave(processes: Processes) -> None:
    """Close the connections."""
    if processes.count > 1:
        torch.distributed.destroy_process_group()
