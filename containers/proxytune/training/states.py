"""Every random state that a training step can use, as values that torch.load reads without pickled code."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Set all random states to those of this seed."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def seed_dropout(seed: int, step: int, rank: int) -> None:
    """Seed torch's own generators, which dropout draws from, for one step of one of several processes.

    A checkpoint has the states of one process only: with this, the others need none.
    """
    mixed = np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)
    # torch takes seeds of 63 bits without a sign.
    torch.manual_seed(int(mixed[0] >> np.uint64(1)))


def save_states() -> dict[str, Any]:
    """Return the states of the global generators of Python, numpy and torch (all GPUs)."""
    numpy: Any = np.random.get_state(legacy=False)
    version, internal, gauss_next = random.getstate()
    return {
        "python": [version, list(internal), gauss_next],
        "numpy": {
            "key": torch.from_numpy(numpy["state"]["key"].astype(np.int64)),
            "pos": int(numpy["state"]["pos"]),
            "has_gauss": int(numpy["has_gauss"]),
            "gauss": float(numpy["gauss"]),
        },
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


@contextmanager
def untouched() -> Iterator[None]:
    """Restore all generators afterwards to what they were before."""
    states = save_states()
    try:
        yield
    finally:
        restore_states(states)


def restore_states(states: dict[str, Any]) -> None:
    """Restore the states. GPU states are only restored when there are as many GPUs as before."""
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))
    numpy = states["numpy"]
    key = numpy["key"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", key, numpy["pos"], numpy["has_gauss"], numpy["gauss"]))
    torch.set_rng_state(states["torch"])
    if torch.cuda.is_available() and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
