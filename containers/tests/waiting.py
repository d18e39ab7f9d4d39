"""Training steps on a GPU, simulated or real, in which waiting for it is an error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from simulated_gpu import Gpu

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.teacher import latents
from proxytune.teacher.families import flux
from proxytune.training.loop import LoopSettings, Trainable, run

GPU = torch.device("cuda")
# The simulated GPU runs everywhere. A real one is skipped where there is none, and the skip is reported, so
# that nobody takes the simulated result for a real one.
KINDS = [
    "simulated",
    pytest.param(
        "real",
        marks=pytest.mark.skipif(
            not torch.cuda.is_available(), reason="no GPU here: only the simulated one is tested"
        ),
    ),
]


class Watch:
    """Switches whether waiting for the GPU is an error."""

    def __init__(self, simulated: Gpu | None) -> None:
        self._simulated = simulated

    @property
    def copies(self) -> int:
        """Copies to the GPU so far, of the simulated one."""
        return 0 if self._simulated is None else self._simulated.copies

    def strict(self, on: bool) -> None:
        """Make waiting an error from now on, or not."""
        if self._simulated is not None:
            self._simulated.strict = on
        else:
            torch.cuda.set_sync_debug_mode("error" if on else "default")


@contextmanager
def watched(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Provide a GPU of a kind within the context; at first, waiting for it is allowed."""
    if kind == "real":
        watch = Watch(None)
        try:
            yield watch
        finally:
            watch.strict(False)
        return
    memory = SimpleNamespace(total_memory=80 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: memory)
    caches = (flux.positions, latents._channels)
    try:
        with Gpu() as simulated:
            yield Watch(simulated)
    finally:
        # The caches of the process would keep tensors of a GPU that is gone.
        for each in caches:
            each.cache_clear()


class EnoughError(Exception):
    """Enough steps are done."""


def take_steps(trainable: Trainable, folder: Path, watch: Watch, count: int = 3) -> None:
    """Run steps of the training loop; waiting is an error after the first, which transfers tables."""
    progress = ProgressFile(folder, "teach", 100, clock=lambda: 0.0)
    progress.write("before the first step", 0)
    done = []

    def after_step(step: int) -> None:
        done.append(step)
        watch.strict(step < count)
        if step == count:
            raise EnoughError

    settings = LoopSettings(steps=100, checkpoint_every=100, learning_rate=1e-2, seed=1)
    with pytest.raises(EnoughError):
        run(trainable, settings, CheckpointStore(folder, "x"), progress, StopRequest(), after_step=after_step)
    assert done == list(range(1, count + 1))
