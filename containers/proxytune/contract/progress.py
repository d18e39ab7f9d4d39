"""progress.json: the state of a job, replaced atomically in the folder that is mirrored to the bucket."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from proxytune.contract.names import FILES
from proxytune.contract.types.progress import Progress, TrainingStage

# The mirror uploads every version that it sees; more than one per second only costs requests.
SECONDS_BETWEEN_WRITES = 1.0
# The rate is that of so many of the latest writes, so that a slow start does not distort the ETA for long.
RATE_WINDOW = 30


class ProgressFile:
    """Writes progress.json.

    Args:
        folder: the checkpoint folder; created when missing.
        stage: the stage of the job.
        total: number of steps, or of images, of the job.
        resumed_from: step of the checkpoint this attempt began with; None for a fresh start.
        clock: monotonic seconds; for tests.
    """

    def __init__(
        self,
        folder: Path,
        stage: TrainingStage,
        total: int,
        *,
        resumed_from: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = folder / FILES.progress
        self._stage = stage
        self._clock = clock
        self._written_at = -SECONDS_BETWEEN_WRITES
        self._history: deque[tuple[float, int]] = deque(maxlen=RATE_WINDOW)
        self.total = total
        self.resumed_from = resumed_from
        folder.mkdir(parents=True, exist_ok=True)

    def due(self) -> bool:
        """Return whether a write is due; check before copying a loss from the GPU."""
        return self._clock() - self._written_at >= SECONDS_BETWEEN_WRITES

    def write(self, phase: str, step: int, loss: float | None = None) -> None:
        """Write the file and a line of the log now; call `due` first where that would be too often."""
        now = self._clock()
        self._written_at = now
        # Without a loss no steps are being counted yet: that time says nothing about the rate.
        if loss is not None or not self._history:
            self._history.append((now, step))
        rate = self._rate()
        record: Progress = {
            "stage": self._stage,
            "job": os.environ.get("TRAINING_JOB_NAME", "local"),
            "phase": phase,
            "step": step,
            "total": self.total,
            "loss": loss,
            "rate": rate,
            # After the last step other work follows, whose time is unknown: "0 s left" would be wrong.
            "eta_seconds": None if rate is None or step >= self.total else (self.total - step) / rate,
            "peak_memory_mib": peak_memory_mib(),
            "resumed_from": self.resumed_from,
            "updated_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        replace_file(self._file, json.dumps(record).encode("utf-8"))
        shown = "" if loss is None else f" loss {loss:.5f}"
        print(f"{phase}: step {step} of {self.total}{shown}", flush=True)

    def restart_rate(self, step: int) -> None:
        """Measure the rate from here on, without the loading before the first step."""
        self._history.clear()
        self._history.append((self._clock(), step))

    def _rate(self) -> float | None:
        (first_time, first_step), (last_time, last_step) = self._history[0], self._history[-1]
        if last_step <= first_step or last_time <= first_time:
            return None
        return (last_step - first_step) / (last_time - first_time)


def peak_memory_mib() -> float:
    """Peak memory so far in MiB: of the GPU when this process uses one, else of the process."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or all of the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        # On a full disk a partial file would stay, and would be uploaded with its folder.
        temporary.unlink(missing_ok=True)
        raise
