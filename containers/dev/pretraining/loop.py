"""Pretraining of one part: AdamW, a running average of the weights, resumable after any step.

Unlike `training.loop`, which trains adapters at a constant rate, this one trains complete models: warm-up,
a cosine, the average that is used afterwards, and evaluations in between. Every random number comes from one
generator that is kept with the weights, so a run that was interrupted ends with the very same weights.
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


class Trainable(Protocol):
    """A part of the models that the loop can train."""

    module: nn.Module
    """All that is trained."""

    def loss(self, step: int, rng: torch.Generator) -> Tensor:
        """Compute the loss of step `step` (0 is the first), with gradient, at random by `rng` alone."""
        ...

    def evaluate(self, module: nn.Module) -> dict[str, float]:
        """Evaluate the averaged weights on held-out pictures, without any random number."""
        ...


class _TrainState:
    """Everything that changes while training, and its form in a checkpoint."""

    def __init__(self, trainable: Trainable, settings: PartSettings, seed: int) -> None:
        self.module, self.settings = trainable.module, settings
        self.averaged = copy.deepcopy(trainable.module).eval().requires_grad_(False)
        self.parameters = [value for value in trainable.module.parameters() if value.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters, settings.learning_rate, settings.betas, weight_decay=settings.weight_decay
        )
        self.rng = torch.Generator("cpu").manual_seed(seed)
        self.step, self.seconds = 0, 0.0
        self.losses: list[float] = []
        self.findings: list[dict[str, float]] = []

    def as_dict(self) -> dict[str, Any]:
        return {
            "module": self.module.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.get_state(),
            "losses": self.losses,
            "findings": self.findings,
            "seconds": self.seconds,
        }

    def restore(self, step: int, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.set_state(state["rng"])
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
    trainable: Trainable,
    settings: PartSettings,
    store: CheckpointStore,
    stop: StopRequest,
    *,
    seed: int,
    dtype: torch.dtype,
    log: Callable[[str], None] = lambda line: print(line, flush=True),
) -> dict[str, Any]:
    """Train until all steps are done, from the newest checkpoint when there is one.

    Returns:
        The last state: `averaged`, `losses` (of every step), `findings` (of every evaluation), `seconds`.

    Raises:
        SystemExit: 143 after SIGTERM, once a checkpoint of the last complete step is written.
        FloatingPointError: the loss is not finite.
    """
    state = _TrainState(trainable, settings, seed)
    with stop.deferred():
        checkpoint = store.newest()
        if checkpoint is not None:
            state.restore(checkpoint.step, checkpoint.state)
            log(f"{name}: resumed after step {checkpoint.step}")
        began, reported, first = time.monotonic() - state.seconds, time.monotonic(), state.step
        start = reported
        while state.step < settings.steps and not stop.requested:
            with autocast(dtype):
                loss = trainable.loss(state.step, state.rng)
            if not math.isfinite(float(loss.detach())):
                raise FloatingPointError(f"the loss of {name} is {float(loss)} at step {state.step}")
            state.learn(loss)
            now = time.monotonic()
            state.seconds = now - began
            if now - reported > REPORT_EVERY:
                log(_report(name, state, (now - start) / (state.step - first)))
                reported = now
            if state.step % settings.evaluate_every == 0 or state.step == settings.steps:
                _evaluate(name, trainable, state, dtype, log)
            if state.step % settings.checkpoint_every == 0 or state.step == settings.steps:
                store.write(state.step, state.as_dict())
        if stop.requested:
            store.write(state.step, state.as_dict())
            log(f"{name}: stopped after step {state.step}; its checkpoint is written")
            stop.leave()
    return state.as_dict()


def _evaluate(
    name: str, trainable: Trainable, state: _TrainState, dtype: torch.dtype, log: Callable[[str], None]
) -> None:
    with torch.no_grad(), autocast(dtype):
        found = trainable.evaluate(state.averaged)
    state.findings.append({"step": float(state.step), "seconds": round(state.seconds, 1), **found})
    facts = "  ".join(f"{key} {value:.4g}" for key, value in found.items())
    log(f"{name}: evaluated at step {state.step}: {facts}")


def _report(name: str, state: _TrainState, step_seconds: float) -> str:
    recent = state.losses[-50:]
    left = (state.settings.steps - state.step) * step_seconds / 60
    speed = state.settings.batch / step_seconds
    return (
        f"{name}: step {state.step} of {state.settings.steps}, loss {sum(recent) / len(recent):.4f}, "
        f"{speed:.1f} pictures/s, {left:.0f} minutes left"
    )


def store_of(work: Path, name: str, settings_hash: str) -> CheckpointStore:
    """Open the store of a part's checkpoints."""
    return CheckpointStore(work / name, settings_hash)
