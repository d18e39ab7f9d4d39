"""A lock on a model folder of this machine while it is written, and the error of a full disk there."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxytune.contract.errors import ProxytuneError


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Lock a model folder while it is written: two imports would write into the same file.

    Raises:
        ProxytuneError: RunActive when another import, or one whose terminal was closed, is running.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with (out.parent / f".{out.name}.lock").open("w") as lock:
        try:
            # The system releases it when the process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ProxytuneError(
                "RunActive",
                what="Another import is writing this model into the same folder",
                given=str(out),
                remedy="wait until it is done, or end it, then run this again to continue",
            ) from error
        yield


def full(out: Path, error: OSError) -> ProxytuneError:
    """Return the error of a full disk here: a job's message mentions instances."""
    return ProxytuneError(
        "OutOfDisk",
        what=f"The disk is full: {error.strerror}",
        given=str(out),
        remedy="free space there, or choose a folder on another disk with --data, then run this again, which "
        "continues where it stopped",
    )
