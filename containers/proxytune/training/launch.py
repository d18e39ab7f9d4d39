"""Starting one process a GPU by torchrun, where an instance has several and the batch can be shared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

from proxytune.contract.signals import EXIT_CODE


def _of_a_batch(hyperparameters: Mapping[str, Any], places: int) -> int:
    """As many as can share a batch evenly."""
    batch = int(hyperparameters["batch_size"])
    return max(count for count in range(1, max(1, min(places, batch)) + 1) if batch % count == 0)


def _of_chunks(hyperparameters: Mapping[str, Any], places: int) -> int:
    """No more than there are chunks."""
    return max(1, min(places, int(hyperparameters["chunks"])))


# Stages that several processes can share, and how many of so many places each takes.
SHARED = {"teach": _of_a_batch, "synthesize": _of_chunks}


def processes_for(hyperparameters: Mapping[str, Any]) -> int:
    """How many processes a job is given: as many GPUs as can share its batch evenly, or its chunks.

    PROXYTUNE_PROCESSES stands for the number of GPUs where it is set, as on machines without any.
    """
    if hyperparameters["stage"] not in SHARED or "RANK" in os.environ:
        return 1
    wanted = os.environ.get("PROXYTUNE_PROCESSES")
    if wanted is None:
        import torch

        places = torch.cuda.device_count()
    else:
        places = int(wanted)
    return SHARED[hyperparameters["stage"]](hyperparameters, places)


def launch(count: int) -> int:
    """Run this job in `count` processes.

    SIGTERM is passed on; every process then ends after the same step, and the first has written a checkpoint.

    Returns:
        The exit code: 0, 143 after SIGTERM, else 1.
    """
    # On one instance nothing leaves the machine, and an isolated container has no other network.
    environment = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo", **os.environ}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--max-restarts", "0"]
    print(f"one job in {count} processes, which share its work", flush=True)
    stopped = False
    child: subprocess.Popen[bytes] | None = None

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        if child is not None:
            child.send_signal(signal.SIGTERM)

    # Before there is anything to pass it on to, so that no moment is without.
    signal.signal(signal.SIGTERM, stop)
    child = subprocess.Popen(
        [*torchrun, "--nproc-per-node", str(count), "-m", "proxytune", "train"], env=environment
    )
    if stopped:
        child.send_signal(signal.SIGTERM)
    code = child.wait()
    return EXIT_CODE if stopped else min(code, 1) if code >= 0 else 1
