"""Checkpoints that are complete or do not exist, and that cannot be resumed with other settings.

One file a checkpoint: a line of JSON (format, step, settings, length and SHA-256 of the rest), then the state
as torch.save writes it. The line makes it cheap to inspect many; the hash detects a file that the mirror
restored only in part.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.progress import replace_file

FORMAT = "proxytune-checkpoint-2"
# The newest, and one before it in case the mirror restored the newest only in part.
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint: the step after which it was written, and the state given to `write`."""

    step: int
    state: dict[str, Any]


class CheckpointStore:
    """The checkpoints of one job in its mirrored folder.

    Args:
        folder: created when missing.
        settings: hash of everything that decides what is trained (`hyperparameters.settings_hash`).
        clear: remove partial files of a killed process; of several processes that share the folder only one
            may, as another could be writing.
    """

    def __init__(self, folder: Path, settings: str, *, clear: bool = True) -> None:
        self.folder = folder
        self._settings = settings
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob(".*.tmp") if clear else ():
            left_over.unlink(missing_ok=True)

    def write(self, step: int, state: dict[str, Any]) -> Path:
        """Write a state, which consists of tensors, numbers, strings and plain containers of these."""
        import torch

        buffer = io.BytesIO()
        torch.save(state, buffer)
        payload = buffer.getvalue()
        head = {
            "format": FORMAT,
            "step": step,
            "settings": self._settings,
            "bytes": len(payload),
            "sha256": hashlib.sha256(payload).hexdigest(),
        }
        path = self.folder / f"step-{step:08d}.checkpoint"
        replace_file(path, json.dumps(head).encode("utf-8") + b"\n" + payload)
        for old in self._newest_first()[KEPT:]:
            old.unlink(missing_ok=True)
        return path

    def newest(self) -> Checkpoint | None:
        """Read the newest complete checkpoint; None when there is none.

        Raises:
            ProxytuneError: CheckpointUnusable when it was written with other settings.
        """
        import torch

        for path in self._newest_first():
            complete = _read_complete(path)
            if complete is None:
                print(f"{path.name} is incomplete and is skipped", flush=True)
                continue
            head, payload = complete
            if head["settings"] != self._settings:
                raise ProxytuneError(
                    "CheckpointUnusable",
                    what=f"The checkpoint {path.name} was written with other settings than those of this job",
                    given=f"settings {str(head['settings'])[:12]}",
                    allowed=f"settings {self._settings[:12]}",
                    remedy="start a new run, or give the job an empty checkpoint folder",
                )
            return Checkpoint(int(head["step"]), torch.load(io.BytesIO(payload), weights_only=True))
        return None

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.checkpoint"), reverse=True)


def _read_complete(path: Path) -> tuple[dict[str, Any], bytes] | None:
    first, _, payload = path.read_bytes().partition(b"\n")
    try:
        head = json.loads(first)
    except ValueError:
        return None
    if not isinstance(head, dict) or head.get("format") != FORMAT or head.get("bytes") != len(payload):
        return None
    return (head, payload) if hashlib.sha256(payload).hexdigest() == head.get("sha256") else None
