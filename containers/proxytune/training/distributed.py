"""One training on several GPUs of one instance: a process a GPU, gradients averaged after every step.

Each process makes the draws of the whole batch and computes its own share of it. So the numbers are those of
one process (but for the order of sums), a checkpoint of one can be resumed by any other number, and settings
say nothing of processes.
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

# While the first process draws samples or the class's pictures, the others wait for it.
PATIENCE = timedelta(hours=6)


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is.

    Attributes:
        rank: 0 writes files and tells progress.
        count: of them all.
    """

    rank: int = 0
    count: int = 1
    _flags: Any = field(default=None, repr=False)

    @property
    def first(self) -> bool:
        """Whether this one writes and tells."""
        return self.rank == 0

    def share(self, whole: int) -> slice:
        """This process's part of so many pictures, which the count divides."""
        part = whole // self.count
        return slice(self.rank * part, (self.rank + 1) * part)

    def average(self, parameters: Iterable[Tensor], loss: Tensor) -> Tensor:
        """Make the gradients those of the whole batch.

        Returns:
            The mean of the processes' losses.
        """
        if self.count == 1:
            return loss
        gradients = [value.grad for value in parameters if value.grad is not None]
        # All in one message: what takes time between GPUs of one instance is the number of messages.
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), loss.detach().view(1)])
        torch.distributed.all_reduce(flat)
        flat /= self.count
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()
        return flat[-1]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process; all must ask at the same place.

        Flags go between the CPUs, so that no GPU is waited for; the processes wait for one another.
        """
        if self.count == 1:
            return flag
        told = torch.tensor([int(flag)])
        torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX, group=self._flags)
        return bool(told.item())

    def wait(self) -> None:
        """Go on when all have come here."""
        self.any(False)


ALONE = Processes()


def place() -> tuple[int, int]:
    """Which of how many processes this is, where each works alone: on a GPU of its own, without a word."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count > 1 and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return int(os.environ.get("RANK", "0")), count


def join() -> Processes:
    """The processes that torchrun started, this one among them; ALONE without it."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return ALONE
    gpus = torch.cuda.is_available()
    if gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if gpus else "gloo", timeout=PATIENCE)
    flags = torch.distributed.new_group(backend="gloo", timeout=PATIENCE)
    processes = Processes(torch.distributed.get_rank(), count, flags)
    if not processes.first:
        # What all do, one tells.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return processes


def leave(processes: Processes) -> None:
    """End the connections."""
    if processes.count > 1:
        torch.distributed.destroy_process_group()
