"""The end of a failed job: one line with the error's name for the platform, the traceback for the log."""

from __future__ import annotations

import errno
import sys
import traceback

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders

# SageMaker takes the first 1024 characters of the failure file as FailureReason (its training contract).
MOST_CHARACTERS = 1024
# The disk, or the user's quota.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def report(error: BaseException, folders: Folders) -> int:
    """Write the failure file and the traceback.

    Returns:
        The exit code of the process: 1.
    """
    line = named(error).line[:MOST_CHARACTERS]
    print("".join(traceback.format_exception(error)), flush=True)
    print(line, file=sys.stderr, flush=True)
    try:
        folders.failure.parent.mkdir(parents=True, exist_ok=True)
        # Of several processes the first to fail knows the cause; the others only lose the connection to it.
        with folders.failure.open("x", encoding="utf-8") as file:
            file.write(line)
    except FileExistsError:
        pass
    except OSError as second:
        # On a full disk the file cannot be written; the log above still has the cause.
        print(f"The failure file could not be written: {second}", flush=True)
    return 1


def named(error: BaseException) -> ProxytuneError:
    """Return an error with a name: the error itself, or the one that tells the user what it means."""
    if isinstance(error, ProxytuneError):
        return error
    if _is_out_of_memory(error):
        return ProxytuneError(
            "OutOfMemory",
            what=f"Not enough memory: {_first_line(error)}",
            remedy="lower batchSize in `advanced`, or choose an instanceType with more memory there",
        )
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return ProxytuneError(
            "OutOfDisk",
            what=f"The disk is full: {_first_line(error)}",
            remedy="choose an instanceType with more storage in `advanced`",
        )
    return ProxytuneError(
        "JobFailed",
        what=f"{type(error).__name__}: {_first_line(error)}",
        remedy="read the job's log; it contains the traceback",
    )


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    # On the CPU torch raises a plain RuntimeError from its allocator.
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate memory" in str(error)
    )


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else "no message"
