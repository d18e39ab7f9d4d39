"""The loss of a training, kept as at most POINTS means, whatever the number of steps.

Every point is the mean over as many steps, a number that follows from that of all steps. So an interrupted
training that goes on has the points of an undisturbed one, bit for bit, however often losses were read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from proxytune.contract.names import FILES
from proxytune.contract.progress import replace_file
from proxytune.contract.types.losses import Losses

POINTS = 200
"""More than a curve of the report has pixels to show apart."""


class LossHistory:
    """The losses of a training so far.

    Args:
        steps: of the whole training.
    """

    def __init__(self, steps: int) -> None:
        self._every = max(1, math.ceil(steps / POINTS))
        self._steps, self._sum, self._count = 0, 0.0, 0
        self._points: list[tuple[int, float]] = []

    def add(self, losses: Iterable[float]) -> None:
        """Add the losses of the next steps, in order."""
        for loss in losses:
            self._sum += loss
            self._count += 1
            self._steps += 1
            if self._count == self._every:
                self._points.append((self._steps, self._sum / self._count))
                self._sum, self._count = 0.0, 0

    def as_state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "steps": self._steps,
            "sum": self._sum,
            "count": self._count,
            "points": [list(point) for point in self._points],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the state of a checkpoint."""
        self._steps, self._sum, self._count = state["steps"], state["sum"], state["count"]
        self._points = [(step, loss) for step, loss in state["points"]]

    def record(self) -> Losses:
        """Return the content of losses.json; steps after the last whole point are one of their own."""
        rest = [(self._steps, self._sum / self._count)] if self._count else []
        return {
            "version": 1,
            "every": self._every,
            "points": [{"step": step, "loss": round(loss, 6)} for step, loss in [*self._points, *rest]],
        }

    def write(self, *folders: Path) -> None:
        """Write losses.json into each folder, atomically."""
        content = json.dumps(self.record()).encode()
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(folder / FILES.losses, content)
