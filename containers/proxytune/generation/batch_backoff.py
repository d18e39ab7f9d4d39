"""How many pictures the memory has room for at once: as many as asked for, until that has failed."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

Drawn = TypeVar("Drawn")


class BatchBackoff:
    """What the memory of one device was found to hold; kept for all chunks that follow."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._most: int | None = None

    def at_once(self, wanted: int) -> int:
        """As many pictures as wanted, or as there is room for."""
        return min(wanted, self._most or wanted)

    def attempt(self, pictures: int, computed: int, draw: Callable[[], Drawn]) -> Drawn | None:
        """What `draw` gives; None where the memory is not enough, but may be for half as many.

        Args:
            pictures: in the batch.
            computed: at once, those that only fill a fixed shape included.

        Raises:
            torch.OutOfMemoryError: there is no room for a single picture.
        """
        try:
            return draw()
        except torch.OutOfMemoryError:
            if computed == 1:
                raise
            self._most = (min(computed, pictures) + 1) // 2
            print(f"The memory is not enough for {pictures} pictures at once: {self._most} now", flush=True)
        # Out of the handler: as long as the error is held, so are the tensors of its frames.
        give_back(self._device)
        return None


def give_back(device: torch.device) -> None:
    """What nobody holds any more is free for others at once."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
