"""Pretraining of one part: AdamW, a running average of the weights, resumable after any step.

Beside `training.loop`, which trains adapters at a constant rate, this one trains whole models: warm-up, a
cosine, the average that is used afterwards, and examinations on the way. Every draw comes from one generator
that is kept with the weights, so a run that was interrupted ends with the very same weights.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dev.pretraining.precision import autocast
from dev.pretraining.settings import PartSettings
from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.signals import StopRequest

# Seconds between two lines of progress.
REPORT_EVERY = 20.0


class Lesson(Protocol):
    """What a part gives to the loop."""

    module: nn.Module
    """All that is trained."""

    def loss(self, step: int, draws: torch.Generator) -> Tensor:
        """Loss of step `step` (0 is the first), with gradient; every random number comes from `draws`."""
        ...

    def examine(self, module: nn.Module) -> dict[str, float]:
        """How good the averaged weights are on held-out pictures; must draw nothing at random."""
        ...


class _Pupil:
    """Everything that changes while training, and its form in a checkpoint."""

    def __init__(self, lesson: Lesson, settings: PartSettings, seed: int) -> None:
        self.module, self.settings = lesson.module, settings
        self.averaged = copy.deepcopy(lesson.module).eval().requires_grad_(False)
        self.parameters = [value for value in lesson.module.parameters() if value.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters, settings.learning_rate, settings.betas, weight_decay=settings.weight_decay
        )
        self.draws = torch.Generator("cpu").manual_seed(seed)
        self.step, self.seconds = 0, 0.0
        self.losses: list[float] = []
        self.findings: list[dict[str, float]] = []

    def state(self) -> dict[str, Any]:
        return {
            "module": self.module.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "draws": self.draws.get_state(),
            "losses": self.losses,
            "findings": self.findings,
            "seconds": self.seconds,
        }

    def restore(self, step: int, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.draws.set_state(state["draws"])
        self.losses, self.findings = state["losses"], state["findings"]
        self.step, self.seconds = step, state["seconds"]

    def learn(self, loss: Tensor) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * rate_at(self.step, self.settings)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        self.optimizer.step()
        self.step += 1
        self.losses.append(float(loss.detach()))
        self._average()

    @torch.no_grad()
    def _average(self) -> None:
        # Young averages follow faster, or they would drag the random first weights along.
        decay = min(self.settings.average, self.step / (self.step + 10))
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.module.parameters()), 1 - decay)
        for mine, theirs in zip(self.averaged.buffers(), self.module.buffers(), strict=True):
            mine.copy_(theirs)


def rate_at(step: int, settings: PartSettings) -> float:
    """Share of the learning rate at a step."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup))
    done = max(0.0, (step / settings.steps - settings.flat) / (1 - settings.flat))
    return warm * (0.505 + 0.495 * math.cos(math.pi * done))


def train(
    name: str,
    lesson: Lesson,
    settings: PartSettings,
    store: CheckpointStore,
    stop: StopRequest,
    *,
    seed: int,
    dtype: torch.dtype,
    say: Callable[[str], None] = lambda line: print(line, flush=True),
) -> dict[str, Any]:
    """Train until all steps are done, from the newest checkpoint when there is one.

    Returns:
        The last state: `averaged`, `losses` (of every step), `findings` (of every examination), `seconds`.

    Raises:
        SystemExit: 143 after SIGTERM, once a checkpoint of the last whole step is written.
        FloatingPointError: the loss is no finite number any more.
    """
    pupil = _Pupil(lesson, settings, seed)
    with stop.deferred():
        checkpoint = store.newest()
        if checkpoint is not None:
            pupil.restore(checkpoint.step, checkpoint.state)
            say(f"{name}: resumed after step {checkpoint.step}")
        began, reported, first = time.monotonic() - pupil.seconds, time.monotonic(), pupil.step
        start = reported
        while pupil.step < settings.steps and not stop.requested:
            with autocast(dtype):
                loss = lesson.loss(pupil.step, pupil.draws)
            if not math.isfinite(float(loss.detach())):
                raise FloatingPointError(f"the loss of {name} is {float(loss)} at step {pupil.step}")
            pupil.learn(loss)
            now = time.monotonic()
            pupil.seconds = now - began
            if now - reported > REPORT_EVERY:
                say(_report(name, pupil, (now - start) / (pupil.step - first)))
                reported = now
            if pupil.step % settings.examine_every == 0 or pupil.step == settings.steps:
                _examine(name, lesson, pupil, dtype, say)
            if pupil.step % settings.checkpoint_every == 0 or pupil.step == settings.steps:
                store.write(pupil.step, pupil.state())
        if stop.requested:
            store.write(pupil.step, pupil.state())
            say(f"{name}: stopped after step {pupil.step}; its checkpoint is written")
            stop.leave()
    return pupil.state()


def _examine(
    name: str, lesson: Lesson, pupil: _Pupil, dtype: torch.dtype, say: Callable[[str], None]
) -> None:
    with torch.no_grad(), autocast(dtype):
        found = lesson.examine(pupil.averaged)
    pupil.findings.append({"step": float(pupil.step), "seconds": round(pupil.seconds, 1), **found})
    facts = "  ".join(f"{key} {value:.4g}" for key, value in found.items())
    say(f"{name}: examined at step {pupil.step}: {facts}")


def _report(name: str, pupil: _Pupil, step_seconds: float) -> str:
    recent = pupil.losses[-50:]
    left = (pupil.settings.steps - pupil.step) * step_seconds / 60
    speed = pupil.settings.batch / step_seconds
    return (
        f"{name}: step {pupil.step} of {pupil.settings.steps}, loss {sum(recent) / len(recent):.4f}, "
        f"{speed:.1f} pictures/s, {left:.0f} minutes left"
    )


def store_of(work: Path, name: str, settings_hash: str) -> CheckpointStore:
    """Where a part's checkpoints are kept."""
    return CheckpointStore(work / name, settings_hash)
