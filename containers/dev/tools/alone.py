"""A model folder of this machine while it is written: held by one import, on a disk that may be full."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxytune.contract.errors import ProxytuneError


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold a model folder while it is written: two imports would write into the same file.

    Raises:
        ProxytuneError: RunActive when another import, or one whose terminal was closed, is at it.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with (out.parent / f".{out.name}.lock").open("w") as lock:
        try:
            # The system lets go of it when the process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ProxytuneError(
                "RunActive",
                what="Another import is bringing this model into the same folder",
                given=str(out),
                remedy="wait until it is done, or end it, and call this again, which goes on there",
            ) from error
        yield


def full(out: Path, error: OSError) -> ProxytuneError:
    """The error of a full disk here: a job's words speak of instances."""
    return ProxytuneError(
        "OutOfDisk",
        what=f"The disk is full: {error.strerror}",
        given=str(out),
        remedy="make room there, or choose a folder on another disk with --data, then call this again, which "
        "goes on where it stopped",
    )
