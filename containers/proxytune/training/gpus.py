"""The GPUs that a job was planned with: a container that sees fewer ends before it loads anything.

For a driver that does not fit its CUDA, torch gives a warning and finds no GPU. Without this check the job
would compute on the CPU in float32, at the price of a GPU, until it reached its longest run time.
"""

from __future__ import annotations

import os
import warnings

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.names import ENVIRONMENT


def require_gpus() -> None:
    """Check that this container sees at least as many GPUs as PROXYTUNE_GPUS expects; unset, it expects none.

    Where PROXYTUNE_EMULATED is set, another machine takes the place of the planned instance: missing GPUs are
    then only logged.

    Raises:
        ProxytuneError: GpuMissing; HyperparameterInvalid for a variable that is not a number.
    """
    expected = _expected()
    if expected == 0:
        return
    seen, reason = _visible()
    if seen >= expected:
        return
    if os.environ.get(ENVIRONMENT.emulated):
        print(
            f"{ENVIRONMENT.emulated} is set: this machine takes the place of an instance "
            f"with {expected} GPU, and has {seen}",
            flush=True,
        )
        return
    raise ProxytuneError(
        "GpuMissing",
        what="The container does not see the GPUs of its instance, and would compute without them",
        given=f"{seen} GPU{reason}",
        allowed=f"at least {expected}, as its instance type has",
        remedy=(
            "try again, as a single host may be faulty; if it happens again, the driver of these hosts does "
            "not fit the image: choose another instanceType in `advanced`, or build the image for another "
            "CUDA 12 (TORCH_INDEX in containers/Dockerfile) and deploy it"
        ),
    )


def _expected() -> int:
    given = os.environ.get(ENVIRONMENT.gpus) or "0"
    if not given.isdecimal():
        raise ProxytuneError(
            "HyperparameterInvalid",
            what=f"{ENVIRONMENT.gpus} is not a number of GPUs",
            given=given,
            allowed="a whole number, 0 for an instance without GPUs",
            remedy="start the job with the environment that this version of Proxytune plans",
        )
    return int(given)


def _visible() -> tuple[int, str]:
    """The number of GPUs that torch can compute on, and torch's reason where it says why there are none."""
    # Takes seconds, and jobs without GPUs do not need it yet.
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # device_count() alone asks the driver, which may know of GPUs that this build of torch cannot use.
        usable = torch.cuda.is_available()
    reasons = [f"torch {torch.__version__}", *(str(warning.message).split(". ")[0] for warning in caught)]
    return torch.cuda.device_count() if usable else 0, f" ({'; '.join(reasons)})"
