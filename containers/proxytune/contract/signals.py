"""SIGTERM ends a job at once while there is nothing to save, and between two steps while it trains."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# 128 + SIGTERM, as a shell reports it.
EXIT_CODE = 143


class StopRequest:
    """A request to stop the job, made by SIGTERM.

    SageMaker sends SIGTERM on stop, on MaxRuntime and before a spot instance is taken, and SIGKILL 120
    seconds later. Outside of `deferred` SIGTERM ends the process at once with code 143; inside it only sets
    `requested`, which the training loop reads between two steps.
    """

    def __init__(self) -> None:
        self.requested = False
        self._deferred = False

    def install(self) -> StopRequest:
        """Handle SIGTERM from now on; call it in the main thread, before anything slow."""
        signal.signal(signal.SIGTERM, self._on_signal)
        return self

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Defer SIGTERM: inside, it only sets `requested`."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def leave(self) -> None:
        """End the process with code 143.

        Raises:
            SystemExit: always.
        """
        raise SystemExit(EXIT_CODE)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        if not self._deferred:
            self.leave()
