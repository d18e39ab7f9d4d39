"""Training the transformer of any student family, by any method, on the tokens of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from proxytune.contract.finite import finite
from proxytune.student.config import TrainConfig
from proxytune.student.families.base import Batch, StudentFamily
from proxytune.student.image_arrays import full_precision
from proxytune.student.modules import bare
from proxytune.student.training_images import TrainingImages
from proxytune.student.tuning.proof import evaluate_probe
from proxytune.student.tuning.registry import new_tuning
from proxytune.training import compilation, memory
from proxytune.training.activation_memory import kept_bytes
from proxytune.training.device import compute_dtype
from proxytune.training.loop import LoopSettings, Trainable
from proxytune.training.states import seed_dropout, untouched
from proxytune.training.step_precision import StepPrecision


class StudentTrainer(Trainable):
    """Ready for `training.loop.run` after `prepare`.

    Captions and images, which never change, are encoded once; everything but the transformer is freed before
    the first step.

    Args:
        family: what is particular to the model.

    Attributes:
        proxy_tokens: (proxies, tokens per image) int64 on the CPU, after `prepare`.
        memory: how steps are computed, after `prepare`.
    """

    proxy_tokens: Tensor
    memory: memory.MemoryPlan

    def __init__(self, family: StudentFamily, config: TrainConfig) -> None:
        self.family, self._config = family, config
        self._tuning = new_tuning(config)
        self._compiled: list[nn.Module] = []

    def prepare(self, base: Path, proxies: TrainingImages, device: torch.device) -> Self:
        """Load the model, encode captions and proxies, make the method's parameters trainable.

        Their initial values come from torch's global random state: seed it first.

        Args:
            base: the model folder, of a model for images of the proxies' size.
            device: where to train; weights are bfloat16 on a GPU, float32 elsewhere, where steps may still
                compute in bfloat16 (`StepPrecision`).

        Raises:
            ProxytuneError: ModelMismatch, ModelNotFinite, TokenWordUnusable.
        """
        self._proxies, self._device = proxies, device
        family, config = self.family, self._config
        dtype = compute_dtype(device)
        model = family.load_model(base, image_size=proxies.size, dtype=dtype, device=device)
        self._tuning.prepare(family, model)
        captions = list(dict.fromkeys([config.caption, *proxies.prompts]))
        family.encode_captions(captions, proxies.prompts, config.token_word)
        self.proxy_tokens = encode_proxies(
            family.encode_images, proxies, device, batch_size=family.encode_batch_size
        )
        self._proxy_weights = proxies.weights(self.proxy_tokens.shape[1])
        family.free_encoders()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        self._model = self._tuning.attach(model)
        # Nothing is changed yet: an invalid number here comes from the base model, not from training.
        finite(
            evaluate_probe(self._model, self.probe()),
            f"student's transformer {type(model).__name__}",
            "its first proxy, before the first step",
        )
        self._precision = StepPrecision(self._model, device, weights=self._tuning.full_precision)
        self._model.train()
        self._plan_memory()
        return self

    def compile(self) -> None:
        """Compile the layers for a long training, where the family and the device allow it."""
        if compilation.possible(self._device):
            self._compiled = self.family.layers_to_compile(self._model)
            compilation.compile_layers(self._compiled)

    def named_parameters(self) -> Iterable[tuple[str, Parameter]]:
        """Return the method's parameters."""
        return self._tuning.parameters.items()

    def optimizer_options(self, name: str) -> Mapping[str, float]:
        """Return what the method says of a parameter."""
        return self._tuning.optimizer_options(name)

    def loop_settings(self, *, steps: int, checkpoint_every: int, learning_rate: float) -> LoopSettings:
        """Return the official training's optimizer settings, with a constant learning rate."""
        optimizer = self.family.optimizer
        return LoopSettings(
            steps=steps,
            checkpoint_every=checkpoint_every,
            learning_rate=learning_rate,
            seed=self._config.seed,
            betas=optimizer.betas,
            weight_decay=optimizer.weight_decay,
            clip=optimizer.clip,
        )

    def loss(self, step: int, rng: torch.Generator) -> Tensor:
        """Compute the loss of a step's proxies under their captions; some are dropped, as guidance needs."""
        return torch.stack(list(self.losses(step, rng))).sum()

    def losses(self, step: int, rng: torch.Generator) -> Iterator[Tensor]:
        """Compute the loss in the parts of the memory plan.

        Each of several processes chooses all proxies, and computes its own share of them. Only dropout is
        then other than that of one process: each draws its own, by the seed, the step and its rank.
        """
        self._tuning.begin_step(step)
        batch, processes = self._batch(step, rng), self._config.processes
        if processes.count > 1:
            seed_dropout(self._config.seed, step, processes.rank)
        # Each loss is a mean over its own positions; that of the entire batch weighs all positions alike.
        positions = self.family.learned_positions(batch.dropped)
        for part in batch.part(processes.share(len(batch.dropped))).split(self.memory.parts):
            learned = self.family.learned_positions(part.dropped) * processes.count
            yield self._loss(part) * (learned / positions)

    def save_memory(self) -> bool:
        """Recompute activations, then compute smaller parts; returns False for parts of one image."""
        plan = memory.tighter(self.memory, self._images)
        if plan is None:
            return False
        if plan.checkpointing and not self.memory.checkpointing:
            self.family.recompute_activations(bare(self._model, nn.Module))
        self.memory = plan
        return True

    def _loss(self, batch: Batch) -> Tensor:
        with self._precision.step():
            return self.family.loss(self._model, batch)

    @property
    def _images(self) -> int:
        """Images of a step that this process computes."""
        return self._config.batch_size // self._config.processes.count

    def _plan_memory(self) -> None:
        """Decide in how many parts a batch is computed and whether activations are recomputed, and log it."""
        gpu = memory.gpu_bytes(self._device)
        self.memory = memory.plan(self._model, (), self.count_activations, gpu, images=self._images)
        if self.memory.checkpointing:
            self.family.recompute_activations(bare(self._model, nn.Module))
        print(self.memory, flush=True)

    def count_activations(self) -> int:
        """Count the bytes that a step of the entire batch keeps for its backward pass.

        Its captions are the longest, and one that is padded to their length.
        """
        lengths = self.family.caption_lengths()
        longest, shortest = lengths.index(max(lengths)), lengths.index(min(lengths))
        indices = torch.tensor([longest] * (self._images - 1) + [shortest])
        batch = Batch(indices, self.proxy_tokens[indices], torch.zeros(len(indices), dtype=torch.bool))
        with untouched():
            return kept_bytes(self._model, lambda: self._loss(batch))

    def _batch(self, step: int, rng: torch.Generator) -> Batch:
        """Choose a step's proxies, those of all processes."""
        count = self._config.batch_size
        positions = range(step * count, (step + 1) * count)
        indices = torch.tensor([self._proxies.index_at(place, self._config.seed) for place in positions])
        dropped = torch.rand(count, generator=rng) < self._config.caption_dropout
        weights = None if self._proxy_weights is None else self._proxy_weights[indices]
        return Batch(indices, self.proxy_tokens[indices], dropped, weights)

    def save(self, folder: Path) -> None:
        """Write what was trained and prove that reading it back gives the trained student.

        Raises:
            ProxytuneError: ModelMismatch when it does not.
        """
        compilation.undo(self._compiled)
        self._model = self._tuning.save(self._model, folder, self.probe())

    def probe(self) -> Callable[[nn.Module], Tensor]:
        """Return the family's probe on the first proxy."""
        return self.family.probe(self.proxy_tokens[:1])


def encode_proxies(
    encode: Callable[[Tensor], Tensor], proxies: TrainingImages, device: torch.device, *, batch_size: int
) -> Tensor:
    """Encode all proxies to (len(proxies), tokens per image) int64 on the CPU.

    Args:
        encode: from images (B, 3, size, size) in [-1, 1] to tokens (B, tokens per image).
    """
    batches = []
    with full_precision(), torch.no_grad():
        for start in range(0, len(proxies), batch_size):
            indices = range(start, min(start + batch_size, len(proxies)))
            batches.append(encode(proxies.pixels(indices).to(device)).cpu())
    return torch.cat(batches)
