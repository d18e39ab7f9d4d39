"""One process per GPU, started by torchrun where an instance has several and the work can be shared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import FrameType

from proxytune.contract.signals import EXIT_CODE
from proxytune.contract.types.hyperparameters import Hyperparameters
from proxytune.training import workers


def processes_for(hyperparameters: Hyperparameters) -> int:
    """Return the number of processes of a job: as many GPUs as can share its batch evenly, or its chunks.

    PROXYTUNE_PROCESSES, where it is set, overrides the number of GPUs, as on machines without any.
    """
    if "RANK" in os.environ:
        return 1
    if hyperparameters["stage"] in ("teach", "learn"):
        return _sharing_a_batch(hyperparameters["batch_size"], _gpus())
    if hyperparameters["stage"] == "synthesize":
        return max(1, min(_gpus(), hyperparameters["chunks"]))
    return 1


def _sharing_a_batch(batch: int, gpus: int) -> int:
    """Return the largest number of processes that can share a batch evenly, as the plan charges for them."""
    return max(count for count in range(1, max(1, min(gpus, batch)) + 1) if batch % count == 0)


def _gpus() -> int:
    override = os.environ.get("PROXYTUNE_PROCESSES")
    if override is not None:
        return int(override)
    import torch

    return torch.cuda.device_count()


def launch(count: int) -> int:
    """Run this job in `count` processes.

    SIGTERM is forwarded; every process then ends after the same step, and the first has written a checkpoint.

    Returns:
        The exit code: 0 on success, 143 after SIGTERM, 137 if a process was killed, otherwise 1.
    """
    # Traffic stays on the instance, and an isolated container has no other network.
    environment = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo", **os.environ}
    torchrun = [sys.executable, "-m", workers.__name__, "--standalone", "--max-restarts", "0"]
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
    if stopped:
        return EXIT_CODE
    return code if code in (0, workers.KILLED) else 1
