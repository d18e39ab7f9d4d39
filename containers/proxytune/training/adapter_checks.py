"""Proof that an adapter's file is what was trained: it is read back, and the model must compute the same.

Two silent failures are known: keys without the network's prefix load with no effect (diffusers issues 11657,
11790), and a file without metadata loses alpha, so that the adapter acts stronger or weaker (issue 6087). So
a file counts as written only after it was read back and gave the trained model's output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.finite import finite

Model = TypeVar("Model")


@dataclass(frozen=True)
class Tolerance:
    """How far the model with the adapter read back may be from the trained one; both shares are added.

    Attributes:
        of_effect: share of the adapter's effect. A lost alpha or layer changes half of it and more.
        of_output: share of the untuned model's output, its rounding: that counts where training changed
            little.
    """

    of_effect: float
    of_output: float


def save_and_check(
    model: Model,
    *,
    write: Callable[[Model], None],
    remove: Callable[[Model], Model],
    load: Callable[[Model], Model],
    probe: Callable[[Model], Tensor],
    probed: str,
    tolerance: Tolerance,
    role: str,
    stage: str,
) -> Model:
    """Write the adapter of a trained model, then take it off, read it back, and compare the outputs.

    Args:
        write: writes the adapter that the model carries.
        remove: takes the adapter off; returns the untuned model.
        load: puts what was written on the untuned model.
        probe: some output of the model, float32 on the CPU, in which the whole adapter takes part.
        probed: what the probe computes on, for the message.
        role: teacher or student, for messages.
        stage: its name in `advanced`.

    Returns:
        The model with the adapter that was read back.

    Raises:
        ProxytuneError: ModelMismatch when the file does not give the trained model back; ModelNotFinite
            when the last step corrupted it, which no loss shows any more.
    """
    trained = finite(probe(model), f"trained {role}", probed, remedy=f"lower advanced.{stage}.learningRate")
    write(model)
    model = remove(model)
    untuned = probe(model)
    model = load(model)
    read_back = probe(model)
    effect, error = float((trained - untuned).norm()), float((read_back - trained).norm())
    allowed = tolerance.of_effect * effect + tolerance.of_output * float(untuned.norm())
    print(f"adapter read back: effect {effect:.6g}, error {error:.6g}", flush=True)
    # Negated, so that NaN does not pass.
    if not error <= allowed:
        raise ProxytuneError(
            "ModelMismatch",
            what=f"The adapter that was written does not give the trained {role} back",
            given=f"an error of {error:.6g} with an effect of {effect:.6g}",
            allowed=f"an error of at most {allowed:.6g}",
            remedy="use the package versions of containers/requirements.txt",
        )
    return model
