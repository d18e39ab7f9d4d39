"""Some steps of a training on a GPU, pretended or real, in which waiting for it is an error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pretended_gpu import Gpu

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.teacher import latents
from proxytune.teacher.families import flux
from proxytune.training.loop import LoopSettings, Trainable, run

GPU = torch.device("cuda")
# The pretended one everywhere; the real one where there is one, which it says when it is left out.
KINDS = [
    "pretended",
    pytest.param(
        "real",
        marks=pytest.mark.skipif(
            not torch.cuda.is_available(), reason="no GPU here: only the pretended one is asked"
        ),
    ),
]


class Watch:
    """Whether waiting is an error."""

    def __init__(self, pretended: Gpu | None) -> None:
        self._pretended = pretended

    def strict(self, on: bool) -> None:
        """From now on it is, or not."""
        if self._pretended is not None:
            self._pretended.strict = on
        else:
            torch.cuda.set_sync_debug_mode("error" if on else "default")


@contextmanager
def watched(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """A GPU of a kind while inside; waiting for it is allowed at first."""
    if kind == "real":
        watch = Watch(None)
        try:
            yield watch
        finally:
            watch.strict(False)
        return
    memory = SimpleNamespace(total_memory=80 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: memory)
    kept = (flux.places, latents._channels)
    try:
        with Gpu() as pretended:
            yield Watch(pretended)
    finally:
        # What is kept for the whole process lies on a GPU that is gone.
        for each in kept:
            each.cache_clear()


class EnoughError(Exception):
    """As much as was wanted is done."""


def take_steps(trainable: Trainable, folder: Path, watch: Watch, count: int = 3) -> None:
    """The product's own loop; waiting is an error after the first step, which brings tables to the GPU."""
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
