"""Proof that what a tuning wrote is what was trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from proxytune.student.modules import bare, evaluating
from proxytune.training.adapter_checks import Tolerance, save_and_check

# The same numbers go through the same operations, so this only allows for kernels that sum in another order.
# The share of the output is a floor: with a vanishing learning rate the effect itself is of the size of
# rounding errors.
TOLERANCE = Tolerance(of_effect=1e-3, of_output=1e-6)


def save_checked(
    model: Any,
    *,
    write: Callable[[Any], None],
    remove: Callable[[Any], Any],
    load: Callable[[Any], Any],
    probe: Callable[[Any], Tensor],
) -> Any:
    """Write what was trained and prove it: take it off, read it back, compare what the model computes.

    Args:
        write, remove, load: see `training.adapter_checks.save_and_check`.
        probe: some numbers of the bare model in which all that was trained takes part.

    Returns:
        The model with what was read back.

    Raises:
        ProxytuneError: ModelMismatch when the file does not give the trained model back; ModelNotFinite
            when the last step corrupted it, which no loss shows any more.
    """
    return save_and_check(
        model,
        write=write,
        remove=remove,
        load=load,
        probe=lambda probed: evaluate_probe(probed, probe).float().cpu(),
        probed="its first proxy",
        tolerance=TOLERANCE,
        role="student",
        stage="learn",
    )


@torch.no_grad()
def evaluate_probe(model: nn.Module, probe: Callable[[Any], Tensor]) -> Tensor:
    """Compute a probe of the bare model, in eval mode and without gradient."""
    with evaluating(model):
        return probe(bare(model, nn.Module))
