"""Training a LoRA on the transformer of any student family, on the tokens of the proxies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from proxytune.contract.finite import finite
from proxytune.student.adapters import add_adapter, evaluate_probe, save_adapter
from proxytune.student.config import TrainConfig
from proxytune.student.families.base import Batch, StudentFamily
from proxytune.student.image_arrays import full_precision
from proxytune.student.proxy_set import ProxySet
from proxytune.training import compilation
from proxytune.training.activation_checkpointing import enable_if_needed
from proxytune.training.device import compute_dtype
from proxytune.training.loop import LoopSettings
from proxytune.training.states import seed_dropout
from proxytune.training.step_precision import StepPrecision

if TYPE_CHECKING:
    from peft import PeftModel


class StudentTrainer:
    """A `training.loop.Trainable` after `prepare`.

    Captions and images, which never change, are encoded once; everything but the transformer is freed before
    the first step.

    Args:
        family: what is particular to the model.

    Attributes:
        proxy_tokens: (proxies, tokens per image) int64 on the CPU, after `prepare`.
    """

    proxy_tokens: Tensor

    def __init__(self, family: StudentFamily, config: TrainConfig) -> None:
        self.family, self._config = family, config
        self._compiled: list[nn.Module] = []

    def prepare(self, base: Path, proxies: ProxySet, device: torch.device) -> Self:
        """Load the model, encode captions and proxies, put a new adapter on the transformer.

        The adapter's initial values come from torch's global random state: seed it first.

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
        captions = list(dict.fromkeys([config.caption, *proxies.prompts]))
        family.encode_captions(captions, proxies.prompts, config.token_word)
        self.proxy_tokens = encode_proxies(
            family.encode_images, proxies, device, batch_size=family.encode_batch_size
        )
        self._proxy_weights = proxies.weights(self.proxy_tokens.shape[1])
        family.free_encoders()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        self._model: PeftModel = add_adapter(model, rank=config.rank, alpha=config.alpha)
        # A new adapter changes nothing: an invalid number here comes from the base model, not from training.
        finite(
            evaluate_probe(self._model, self.probe()),
            f"student's transformer {type(model).__name__}",
            "its first proxy, before the first step",
        )
        enable_if_needed(
            model,
            family.activation_bytes(model, config.batch_size // config.processes.count),
            device,
            lambda: family.recompute_activations(model),
            share=family.activation_share,
        )
        self._precision = StepPrecision(self._model, device)
        self._model.train()
        return self

    def compile(self) -> None:
        """Compile the layers for a long training, where the family and the device allow it."""
        if compilation.possible(self._device):
            self._compiled = self.family.layers_to_compile(self._model)
            compilation.compile_layers(self._compiled)

    def named_parameters(self) -> Iterable[tuple[str, Parameter]]:
        """Return the adapter's parameters."""
        return [(name, value) for name, value in self._model.named_parameters() if value.requires_grad]

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
        """Compute the loss of a step's proxies under their captions; some are dropped, as guidance needs.

        Each of several processes chooses all proxies, and computes its own share of them. Only dropout is
        then other than that of one process: each draws its own, by the seed, the step and its rank.
        """
        batch, processes = self._batch(step, rng), self._config.processes
        if processes.count == 1:
            with self._precision.step():
                return self.family.loss(self._model, batch)
        own = processes.share(len(batch.dropped))
        share = batch.part(own)
        seed_dropout(self._config.seed, step, processes.rank)
        with self._precision.step():
            loss = self.family.loss(self._model, share)
        # Each loss is a mean over its own positions; that of the entire batch weighs all positions alike.
        learned = self.family.learned_positions(share.dropped) * processes.count
        return loss * (learned / self.family.learned_positions(batch.dropped))

    def _batch(self, step: int, rng: torch.Generator) -> Batch:
        """Choose a step's proxies, those of all processes."""
        count = self._config.batch_size
        positions = range(step * count, (step + 1) * count)
        indices = torch.tensor([self._proxies.index_at(place, self._config.seed) for place in positions])
        dropped = torch.rand(count, generator=rng) < self._config.caption_dropout
        weights = None if self._proxy_weights is None else self._proxy_weights[indices]
        return Batch(indices, self.proxy_tokens[indices], dropped, weights)

    def save(self, folder: Path) -> None:
        """Write the adapter and prove that reading it back gives the trained student.

        Raises:
            ProxytuneError: ModelMismatch when it does not.
        """
        compilation.undo(self._compiled)
        self._model = save_adapter(self._model, folder, self.probe())

    def probe(self) -> Callable[[nn.Module], Tensor]:
        """Return the family's probe on the first proxy."""
        return self.family.probe(self.proxy_tokens[:1])


def encode_proxies(
    encode: Callable[[Tensor], Tensor], proxies: ProxySet, device: torch.device, *, batch_size: int
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
