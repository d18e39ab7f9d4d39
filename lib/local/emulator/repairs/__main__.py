"""Start MiniStack, repaired: ``python -m repairs`` with the folder above in PYTHONPATH.

Reads the same environment variables as MiniStack (GATEWAY_PORT, BIND_HOST, S3_DATA_DIR, STATE_DIR, ...)
and ends when its standard input is closed. If the emulator cannot be used, prints one line ``Name: message``
to the standard error and exits with 78 (EX_CONFIG).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
import threading
from pathlib import Path

from .version import EmulatorVersion, require_supported_version

EX_CONFIG = 78


def exit_with(name: str, message: str) -> None:
    """Print why the emulator does not start, under a name that the parent knows, and exit."""
    print(f"{name}: {message}", file=sys.stderr, flush=True)
    raise SystemExit(EX_CONFIG)


def lock_folder(folder: Path) -> int:
    """Lock a data folder for the lifetime of this process.

    Returns the descriptor of the lock file; the lock ends with the process.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        exit_with(
            "LocalCloudFailed",
            f"Another local cloud uses this data folder. Given: {folder}. "
            "What to do: end the other one, or choose another folder.",
        )
    return lock


#: By service, what its state file has and `lost_resources` cannot create again.
CONTENTS = {
    "dynamodb": "the records of earlier runs",
    "s3": "older versions of objects",
    "sns": "who was subscribed to notifications",
    "sqs": "events that could not be delivered",
    "cloudwatch_logs": "the logs of functions",
}


def require_readable(folder: Path) -> None:
    """Check that no state file is truncated or of another shape.

    MiniStack would ignore it or fail: all runs would be gone, and the next save would make that permanent.
    """
    for file in sorted(folder.glob("*.json")):
        try:
            content = json.loads(file.read_bytes())
            if not isinstance(content, dict) or not isinstance(content.get("payload"), dict):
                raise ValueError("it is not the state of a service")
        except ValueError as error:
            exit_with(
                "LocalCloudFailed",
                f"A file of the emulator's state cannot be read. Given: {file}: {error}. "
                "What to do: restore it from a backup, or remove it; what is missing is then created again, "
                f"without {CONTENTS.get(file.stem, 'loss')}.",
            )


def main() -> None:
    """Check the version, lock the data folder, apply the repairs, and serve until the parent ends."""
    try:
        require_supported_version()
    except EmulatorVersion as error:
        exit_with("EmulatorVersion", str(error))
    state = Path(os.environ["STATE_DIR"])
    lock_folder(state.parent)
    require_readable(state)
    # Code that functions of an earlier process had unpacked; the lock ensures that nobody else uses it.
    temporary = Path(os.environ["TMPDIR"])
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(mode=0o700)

    # Imported late, because importing the emulator reads the environment and loads the objects from disk.
    from ministack import app

    from . import apply_all, ending

    try:
        apply_all()
    except EmulatorVersion as error:
        exit_with("EmulatorVersion", str(error))
    threading.Thread(target=ending.end_with_parent, name="parent watch", daemon=True).start()
    # Functions in Python must not have this package on their path.
    os.environ.pop("PYTHONPATH", None)
    sys.argv = ["ministack"]
    app.main()
    shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    main()
