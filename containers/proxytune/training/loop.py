"""The training loop: AdamW over an adapter, seeded, stoppable, resumable bit for bit.

What a step computes depends on the settings and the step alone: every draw comes from one CPU generator (or,
for dropout, from torch's global state), and both are in the checkpoint with the optimizer and the schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import Parameter

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.training.distributed import ALONE, Processes
from proxytune.training.states import restore_states, save_states


class Trainee(Protocol):
    """What a trainer gives to the loop."""

    def named_parameters(self) -> Iterable[tuple[str, Parameter]]:
        """The parameters to train, float32, in an order that never changes."""
        ...

    def loss(self, step: int, draws: torch.Generator) -> Tensor:
        """Loss of step `step` (0 is the first) as a scalar with gradient.

        Every random number comes from `draws`, a CPU generator, or from torch's global state. What is drawn
        is moved by `moving`, and no number is asked back: a step must not wait for the GPU.
        """
        ...


@dataclass(frozen=True)
class LoopSettings:
    """How to train. Defaults are diffusers' DreamBooth-LoRA settings, which the teacher follows.

    Attributes:
        steps: optimizer steps in all.
        checkpoint_every: steps between two checkpoints.
        learning_rate: AdamW's, constant after the warm-up.
        seed: of the draws.
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


class _Training:
    """Everything that changes while training, and its form in a checkpoint."""

    def __init__(self, trainee: Trainee, settings: LoopSettings) -> None:
        self.parameters = dict(trainee.named_parameters())
        if not self.parameters:
            raise ValueError("the trainee has no parameter to train")
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(),
            lr=settings.learning_rate,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            # One kernel for all parameters; on the CPU the sums would come in another order than before.
            fused=all(value.is_cuda for value in self.parameters.values()),
        )
        warmup = max(1, settings.warmup)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda done: min(1.0, (done + 1) / warmup)
        )
        self.draws = torch.Generator("cpu").manual_seed(settings.seed)
        self.step = 0

    def state(self) -> dict[str, Any]:
        return {
            "adapter": {name: value.detach().cpu() for name, value in self.parameters.items()},
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "draws": self.draws.get_state(),
            "random": save_states(),
        }

    def restore(self, step: int, state: dict[str, Any]) -> None:
        self._check_names(state["adapter"])
        with torch.no_grad():
            for name, value in self.parameters.items():
                value.copy_(state["adapter"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.draws.set_state(state["draws"])
        restore_states(state["random"])
        self.step = step

    def _check_names(self, adapter: dict[str, Tensor]) -> None:
        here = {name: tuple(value.shape) for name, value in self.parameters.items()}
        there = {name: tuple(value.shape) for name, value in adapter.items()}
        if here != there:
            different = sorted(set(here.items()) ^ set(there.items()))
            raise ProxytuneError(
                "CheckpointUnusable",
                what="The checkpoint's adapter does not fit the adapter of this job",
                given=f"{len(there)} tensors, different at {different[0][0]}",
                allowed=f"the {len(here)} tensors of this job",
                remedy="start a new run, or give the job an empty checkpoint folder",
            )


class _LossMeter:
    """Mean loss since it was last read. Losses stay on the GPU until then: no wait in every step.

    Reading waits for all steps so far: at a checkpoint, which has to wait for the weights anyway, and for the
    progress file, at most once a second.
    """

    def __init__(self) -> None:
        self._losses: list[Tensor] = []

    def add(self, loss: Tensor) -> None:
        self._losses.append(loss.detach())

    def read(self, step: int) -> float | None:
        """The mean, or None when no step was taken since.

        Raises:
            ProxytuneError: TrainingDiverged when it is no finite number.
        """
        if not self._losses:
            return None
        mean = float(torch.stack(self._losses).double().mean())
        self._losses.clear()
        if not math.isfinite(mean):
            raise ProxytuneError(
                "TrainingDiverged",
                what=f"The loss is no finite number any more at step {step}",
                given=str(mean),
                remedy="lower the stage's learning rate in `advanced`",
            )
        return mean


def run(
    trainee: Trainee,
    settings: LoopSettings,
    store: CheckpointStore,
    progress: ProgressFile,
    stop: StopRequest,
    *,
    processes: Processes = ALONE,
    at_checkpoint: Callable[[int], None] | None = None,
    after_step: Callable[[int], None] | None = None,
) -> int:
    """Train until `settings.steps` are done, from the newest checkpoint when there is one.

    Seed the global states (`states.seed_everything`) and make the adapter before; resuming overwrites both.

    Args:
        processes: that compute this training together, in step; the first of them writes and tells.
        at_checkpoint: called with the number of steps done: at 0, whenever a regular checkpoint has just been
            written, and again where an attempt begins with one, as the call before may have been cut off. It
            must leave the training as it was.
        after_step: called with the number of steps done after each; for tests and measurements.

    Returns:
        The step of the checkpoint this attempt began with, 0 for a fresh start.

    Raises:
        SystemExit: 143 after SIGTERM, once a checkpoint of the last whole step is written.
        ProxytuneError: TrainingDiverged, CheckpointUnusable.
    """
    training = _Training(trainee, settings)
    with stop.deferred():
        checkpoint = store.newest()
        if checkpoint is not None:
            training.restore(checkpoint.step, checkpoint.state)
            progress.resumed_from = checkpoint.step
            print(f"resumed from the checkpoint of step {checkpoint.step}", flush=True)
        began_at = written_at = training.step
        if at_checkpoint is not None and _regular(training.step, settings):
            at_checkpoint(training.step)
        meter = _LossMeter()
        progress.restart_rate(training.step)
        while training.step < settings.steps and not processes.any(stop.requested):
            meter.add(_step(trainee, training, settings, processes))
            if after_step is not None:
                after_step(training.step)
            if _regular(training.step, settings):
                mean = meter.read(training.step)
                if processes.first:
                    progress.write("training", training.step, mean)
                    store.write(training.step, training.state())
                written_at = training.step
                if at_checkpoint is not None:
                    at_checkpoint(training.step)
            elif processes.first and progress.due():
                progress.write("training", training.step, meter.read(training.step))
        if processes.any(stop.requested):
            meter.read(training.step)
            if processes.first and training.step > written_at:
                store.write(training.step, training.state())
            # No process may end, and with it the others, before the checkpoint is there.
            processes.wait()
            print(f"stopped by SIGTERM after step {training.step}; its checkpoint is written", flush=True)
            stop.leave()
    return began_at


def _regular(step: int, settings: LoopSettings) -> bool:
    return step % settings.checkpoint_every == 0 or step == settings.steps


def _step(trainee: Trainee, training: _Training, settings: LoopSettings, processes: Processes) -> Tensor:
    """One optimizer step; its loss is not read here, and its gradients' norm is no number of Python's."""
    loss = trainee.loss(training.step, training.draws)
    loss.backward()
    loss = processes.average(training.parameters.values(), loss)
    torch.nn.utils.clip_grad_norm_(training.parameters.values(), settings.clip)
    training.optimizer.step()
    training.schedule.step()
    training.optimizer.zero_grad(set_to_none=True)
    training.step += 1
    return loss
