"""One process per GPU, started by torchrun where an instance has several and the work can be shared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

from proxytune.contract.signals import EXIT_CODE


def _sharing_a_batch(hyperparameters: Mapping[str, Any], gpus: int) -> int:
    """Return the largest number of processes that can share a batch evenly."""
    batch = int(hyperparameters["batch_size"])
    return max(count for count in range(1, max(1, min(gpus, batch)) + 1) if batch % count == 0)


def _sharing_chunks(hyperparameters: Mapping[str, Any], gpus: int) -> int:
    """Return no more than there are chunks."""
    return max(1, min(gpus, int(hyperparameters["chunks"])))


# Stages that several processes can share, and the number of processes of each.
SHARED = {"teach": _sharing_a_batch, "synthesize": _sharing_chunks}


def processes_for(hyperparameters: Mapping[str, Any]) -> int:
    """Return the number of processes of a job: as many GPUs as can share its batch evenly, or its chunks.

    PROXYTUNE_PROCESSES, where it is set, overrides the number of GPUs, as on machines without any.
    """
    if hyperparameters["stage"] not in SHARED or "RANK" in os.environ:
        return 1
    override = os.environ.get("PROXYTUNE_PROCESSES")
    if override is None:
        import torch

        gpus = torch.cuda.device_count()
    else:
        gpus = int(override)
    return SHARED[hyperparameters["stage"]](hyperparameters, gpus)


def launch(count: int) -> int:
    """Run this job in `count` processes.

    SIGTERM is forwarded; every process then ends after the same step, and the first has written a checkpoint.

    Returns:
        The exit code: 0, 143 after SIGTERM, else 1.
    """
    # Traffic stays on the instance, and an isolated container has no other network.
    environment = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo", **os.environ}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--max-restarts", "0"]
    print(f"running the job in {count} processes that share its work", flush=True)
    stopped = False
    child: subprocess.Popen[bytes] | None = None

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        if child is not None:
            child.send_signal(signal.SIGTERM)

    # Installed before the child exists, so that no signal is missed.
    signal.signal(signal.SIGTERM, stop)
    child = subprocess.Popen(
        [*torchrun, "--nproc-per-node", str(count), "-m", "proxytune", "train"], env=environment
    )
    if stopped:
        child.send_signal(signal.SIGTERM)
    code = child.wait()
    return EXIT_CODE if stopped else min(code, 1) if code >= 0 else 1
