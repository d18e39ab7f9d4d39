"""The training loop: AdamW over an adapter, seeded, stoppable, resumable bit for bit.

A step depends on the settings and its number alone: every random number comes from one CPU generator (or, for
dropout, from torch's global state), and both are in the checkpoint with the optimizer and the schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import Parameter

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.training.device import free_memory
from proxytune.training.distributed import ALONE, Processes
from proxytune.training.loss_history import LossHistory
from proxytune.training.states import restore_states, save_states


class Trainable(Protocol):
    """An adapter that the loop can train."""

    def named_parameters(self) -> Iterable[tuple[str, Parameter]]:
        """Return the parameters to train, float32, in an order that never changes."""
        ...

    def optimizer_options(self, name: str) -> Mapping[str, float]:
        """Return AdamW's `lr` and `weight_decay` of a parameter where they are not those of the settings."""
        del name
        return {}

    def loss(self, step: int, rng: torch.Generator, /) -> Tensor:
        """Compute the loss of step `step` (0 is the first) as a scalar with gradient.

        Every random number comes from `rng`, a CPU generator, or from torch's global state. What is sampled
        is copied by `transfer.to_device`, and nothing is copied back: a step must not wait for the GPU.
        """
        ...

    def losses(self, step: int, rng: torch.Generator, /) -> Iterable[Tensor]:
        """Compute the loss in parts, whose sum it is; the gradient of each is taken before the next."""
        yield self.loss(step, rng)

    def save_memory(self) -> bool:
        """Compute steps with less memory from here on; returns False where that is not possible."""
        return False


@dataclass(frozen=True)
class LoopSettings:
    """The settings of a training; defaults are those of diffusers' DreamBooth-LoRA scripts, for teachers.

    Attributes:
        steps: number of optimizer steps.
        checkpoint_every: steps between two checkpoints.
        learning_rate: AdamW's, constant after the warm-up.
        seed: of the loop's random generator.
        betas, weight_decay, eps: AdamW's.
        clip: largest norm of the gradient.
        warmup: steps over which the learning rate rises linearly from near 0.
    """

    steps: int
    checkpoint_every: int
    learning_rate: float
    seed: int
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-4
    eps: float = 1e-8
    clip: float = 1.0
    warmup: int = 0


class _TrainState:
    """Everything that changes while training, and its form in a checkpoint."""

    def __init__(self, trainable: Trainable, settings: LoopSettings, losses: LossHistory) -> None:
        self.losses = losses
        self.parameters = dict(trainable.named_parameters())
        if not self.parameters:
            raise ValueError("there are no parameters to train")
        self.optimizer = torch.optim.AdamW(
            _groups(trainable, self.parameters),
            lr=settings.learning_rate,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            # One kernel for all parameters; on the CPU it would change the order of sums.
            fused=all(value.is_cuda for value in self.parameters.values()),
        )
        warmup = max(1, settings.warmup)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda done: min(1.0, (done + 1) / warmup)
        )
        self.rng = torch.Generator("cpu").manual_seed(settings.seed)
        self.step = 0

    def as_dict(self) -> dict[str, Any]:
        return {
            "adapter": {name: value.detach().cpu() for name, value in self.parameters.items()},
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": self.rng.get_state(),
            "random": save_states(),
            "losses": self.losses.as_state(),
        }

    def restore(self, step: int, state: dict[str, Any]) -> None:
        self._check_names(state["adapter"])
        with torch.no_grad():
            for name, value in self.parameters.items():
                value.copy_(state["adapter"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.rng.set_state(state["rng"])
        restore_states(state["random"])
        self.losses.restore(state["losses"])
        self.step = step

    def _check_names(self, adapter: dict[str, Tensor]) -> None:
        expected = {name: tuple(value.shape) for name, value in self.parameters.items()}
        given = {name: tuple(value.shape) for name, value in adapter.items()}
        if given != expected:
            different = sorted(set(expected.items()) ^ set(given.items()))
            raise ProxytuneError(
                "CheckpointUnusable",
                what="The checkpoint's adapter does not fit the adapter of this job",
                given=f"{len(given)} tensors; {different[0][0]} differs",
                allowed=f"the {len(expected)} tensors of this job",
                remedy="start a new run, or give the job an empty checkpoint folder",
            )


def _groups(trainable: Trainable, parameters: Mapping[str, Parameter]) -> list[dict[str, Any]]:
    """Group parameters by their options, in their order; one group where none has any."""
    groups: dict[tuple[tuple[str, float], ...], list[Parameter]] = {}
    for name, value in parameters.items():
        groups.setdefault(tuple(sorted(trainable.optimizer_options(name).items())), []).append(value)
    return [{"params": values, **dict(options)} for options, values in groups.items()]


class _LossMeter:
    """Mean loss since it was last read; what is read joins the history.

    Losses stay on the GPU until then, so that no step waits.

    Reading waits for all steps so far: at a checkpoint, which has to wait for the weights anyway, and for the
    progress file, at most once a second.
    """

    def __init__(self, history: LossHistory) -> None:
        self._losses: list[Tensor] = []
        self._history = history

    def add(self, loss: Tensor) -> None:
        self._losses.append(loss.detach())

    def read(self, step: int) -> float | None:
        """Return the mean, or None when there was no step since.

        Raises:
            ProxytuneError: TrainingDiverged when it is not finite.
        """
        if not self._losses:
            return None
        losses = torch.stack(self._losses).double().cpu()
        mean = float(losses.mean())
        self._losses.clear()
        if not math.isfinite(mean):
            raise ProxytuneError(
                "TrainingDiverged",
                what=f"The loss is not finite at step {step}",
                given=str(mean),
                remedy="lower the stage's learning rate in `advanced`",
            )
        self._history.add(losses.tolist())
        return mean


def run(
    trainable: Trainable,
    settings: LoopSettings,
    store: CheckpointStore,
    progress: ProgressFile,
    stop: StopRequest,
    *,
    processes: Processes = ALONE,
    at_checkpoint: Callable[[int], None] | None = None,
    after_step: Callable[[int], None] | None = None,
    losses: LossHistory | None = None,
) -> int:
    """Train for `settings.steps` steps, from the newest checkpoint where there is one.

    Seed the global states (`states.seed_everything`) and add the adapter before; resuming overwrites both.

    Args:
        processes: that share this training, in lockstep; the first of them writes files and reports progress.
        at_checkpoint: called with the number of steps done: at 0, whenever a regular checkpoint has just been
            written, and again where an attempt begins with one, as the previous call may have been
            interrupted. It must leave the training as it was.
        after_step: called with the number of steps done after each; for tests and measurements.
        losses: gets the loss of every step, those of earlier attempts too.

    Returns:
        The step of the checkpoint that this attempt resumed from, 0 for a new start.

    Raises:
        SystemExit: 143 after SIGTERM, once a checkpoint of the last complete step is written.
        ProxytuneError: TrainingDiverged, CheckpointUnusable.
    """
    state = _TrainState(trainable, settings, losses or LossHistory(settings.steps))
    with stop.deferred():
        checkpoint = store.newest()
        if checkpoint is not None:
            state.restore(checkpoint.step, checkpoint.state)
            progress.resumed_from = checkpoint.step
            print(f"resumed from the checkpoint of step {checkpoint.step}", flush=True)
        began_at = written_at = state.step
        if at_checkpoint is not None and _regular(state.step, settings):
            at_checkpoint(state.step)
        meter = _LossMeter(state.losses)
        progress.restart_rate(state.step)
        while state.step < settings.steps and not processes.any(stop.requested):
            meter.add(_step(trainable, state, settings, processes))
            if after_step is not None:
                after_step(state.step)
            if _regular(state.step, settings):
                mean = meter.read(state.step)
                if processes.first:
                    progress.write("training", state.step, mean)
                    store.write(state.step, state.as_dict())
                written_at = state.step
                if at_checkpoint is not None:
                    at_checkpoint(state.step)
            elif processes.first and progress.due():
                progress.write("training", state.step, meter.read(state.step))
        if processes.any(stop.requested):
            meter.read(state.step)
            if processes.first and state.step > written_at:
                store.write(state.step, state.as_dict())
            # A process that ends takes the others with it: none may end before the checkpoint is written.
            processes.wait()
            print(f"stopped by SIGTERM after step {state.step}; its checkpoint is written", flush=True)
            stop.leave()
    return began_at


def _regular(step: int, settings: LoopSettings) -> bool:
    return step % settings.checkpoint_every == 0 or step == settings.steps


def _step(trainable: Trainable, state: _TrainState, settings: LoopSettings, processes: Processes) -> Tensor:
    """Take one optimizer step; neither the loss nor the norm of the gradients is read here."""
    loss = _gradients(trainable, state, processes)
    loss = processes.average(state.parameters.values(), loss)
    torch.nn.utils.clip_grad_norm_(state.parameters.values(), settings.clip)
    state.optimizer.step()
    state.schedule.step()
    state.optimizer.zero_grad(set_to_none=True)
    state.step += 1
    return loss


def _gradients(trainable: Trainable, state: _TrainState, processes: Processes) -> Tensor:
    """Compute the gradients of a step, with less memory where it runs out, and return the loss.

    Weights and moments change only afterwards, so the step is computed again from where it began: with the
    same random numbers, in all processes that share the training.
    """
    before, own = save_states(), state.rng.get_state()
    while True:
        loss, error = None, "another process ran out of memory"
        try:
            for part in trainable.losses(state.step, state.rng):
                part.backward()
                loss = part.detach() if loss is None else loss + part.detach()
        except torch.OutOfMemoryError as raised:
            loss, error = None, str(raised)
        if not processes.any(loss is None):
            assert loss is not None
            return loss
        # Outside of the handler: the error keeps the tensors of its frames alive.
        state.optimizer.zero_grad(set_to_none=True)
        free_memory(next(iter(state.parameters.values())).device)
        restore_states(before)
        state.rng.set_state(own)
        if not trainable.save_memory():
            raise torch.OutOfMemoryError(error)
