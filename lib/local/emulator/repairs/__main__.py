"""Start MiniStack, repaired: ``python -m repairs`` with the folder above in PYTHONPATH.

Reads from the environment what MiniStack reads (GATEWAY_PORT, BIND_HOST, S3_DATA_DIR, STATE_DIR, ...) and
ends when its standard input does. Exits with 78 (EX_CONFIG) and one line ``Name: message`` on the standard
error when the emulator cannot be used.
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


def refuse(name: str, message: str) -> None:
    """Say why the emulator does not start, under a name that the parent knows, and exit."""
    print(f"{name}: {message}", file=sys.stderr, flush=True)
    raise SystemExit(EX_CONFIG)


def hold(folder: Path) -> int:
    """Keep other emulators out of a data folder for as long as this process lives.

    Returns the descriptor of the lock file; the lock ends with the process.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        refuse(
            "LocalCloudFailed",
            f"Another local cloud uses this data folder. Given: {folder}. "
            "What to do: end the other one, or choose another folder.",
        )
    return lock


def require_readable(folder: Path) -> None:
    """Refuse to start on a state file that is cut off.

    MiniStack would go on without it: every run would be forgotten, and the next save make that last.
    """
    for file in sorted(folder.glob("*.json")):
        try:
            json.loads(file.read_bytes())
        except ValueError as error:
            refuse(
                "LocalCloudFailed",
                f"A file of the emulator's state cannot be read. Given: {file}: {error}. "
                "What to do: bring it back from a copy, or choose another folder with --data; "
                "to begin anew, remove the data folder.",
            )


def main() -> None:
    """Check the version, take the data folder, repair, serve until told to end."""
    try:
        require_supported_version()
    except EmulatorVersion as error:
        refuse("EmulatorVersion", str(error))
    state = Path(os.environ["STATE_DIR"])
    hold(state.parent)
    require_readable(state)
    # The code that functions of an earlier life had unpacked; the lock says that it is nobody else's.
    temporary = Path(os.environ["TMPDIR"])
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()

    # Only now: importing the emulator reads the environment and loads the objects from disk.
    from ministack import app

    from . import apply_all, ending

    try:
        apply_all()
    except EmulatorVersion as error:
        refuse("EmulatorVersion", str(error))
    threading.Thread(target=ending.end_with_parent, name="parent watch", daemon=True).start()
    # Functions in Python must not find this package on their path.
    os.environ.pop("PYTHONPATH", None)
    sys.argv = ["ministack"]
    app.main()
    shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    main()
