"""Batch backoff: batches of the requested size, until one of them has run out of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from proxytune.training.device import free_memory

Result = TypeVar("Result")


class BatchBackoff:
    """The largest batch size that fits the memory of a device; it is kept for all following chunks."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._largest: int | None = None

    def batch_size(self, requested: int) -> int:
        """The requested batch size, or the largest one that fits."""
        return min(requested, self._largest or requested)

    def attempt(self, images: int, computed: int, generate: Callable[[], Result]) -> Result | None:
        """Generate a batch; returns None where memory ran out and a smaller batch may fit.

        Args:
            images: in the batch.
            computed: images that are computed, including those that only fill up a fixed shape.
            generate: generates the batch.

        Raises:
            torch.OutOfMemoryError: the memory is not enough for a single image.
        """
        try:
            return generate()
        except torch.OutOfMemoryError:
            if computed == 1:
                raise
            self._largest = (min(computed, images) + 1) // 2
            print(f"Out of memory at batch size {images}; retrying with {self._largest}.", flush=True)
        # Outside of the handler: the error keeps the tensors of its frames alive.
        free_memory(self._device)
        return None
