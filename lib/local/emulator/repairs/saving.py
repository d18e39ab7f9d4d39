"""Save the state periodically, so that it persists even if the emulator is killed.

With PERSIST_STATE=1 MiniStack saves its services on a clean shutdown only: after a SIGKILL the bucket, the
table and the stack would be gone while the objects in the bucket remain. This repair also saves every few
seconds, and only the services in use. A stack whose deployment was interrupted would stay "in progress"
forever, because its task ended with the process; it is marked as ended on loading, so that it can be
deployed again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack import app
from ministack.services import cloudformation

#: The services that our stack uses. MiniStack would write eighty files, most of them empty.
PERSISTED_SERVICES = frozenset(
    [
        "s3",
        "dynamodb",
        "ecr",
        "sqs",
        "sns",
        "eventbridge",
        "lambda",
        "iam",
        "sts",
        "kms",
        "ssm",
        "cloudformation",
        "cloudwatch",
        "cloudwatch_logs",
    ]
)

#: Seconds between two saves. Deep copies of a few MiB of state take tens of milliseconds.
INTERVAL = 3.0

#: Attempts to read a service's state. Reading takes milliseconds, so that a change rarely meets two in a row.
ATTEMPTS = 10

_original_save_all = app.save_all
_original_load_all = app._load_persisted_state
_original_load_stacks = cloudformation.load_persisted_state
_one_at_a_time = threading.Lock()
_ended = threading.Event()


def save_all(services: dict[str, Any]) -> None:
    """Save the services in use, under a lock because all saves write the same temporary file."""
    with _one_at_a_time:
        _original_save_all(
            {name: read_again(state) for name, state in services.items() if name in PERSISTED_SERVICES}
        )


def read_again(state: Callable[[], Any]) -> Callable[[], Any]:
    """Make a service's state readable while a request adds to it.

    The state is copied in another thread than that of the requests. An entry that is added or removed in the
    middle ends the copy with a ``RuntimeError``, after which MiniStack would leave out the service.
    """

    def read() -> Any:
        for _ in range(ATTEMPTS - 1):
            try:
                return state()
            except RuntimeError:
                time.sleep(0.01)
        return state()

    return read


def save_until_ended(interval: float = INTERVAL) -> None:
    """Save every ``interval`` seconds until ``stop`` is called."""
    while not _ended.wait(interval):
        save_all(app._build_persistence_save_dict())


def stop() -> None:
    """Stop the periodic saves; the last save follows at shutdown."""
    _ended.set()


def load_all() -> None:
    """Load all services before the first save, which would otherwise overwrite them with empty ones."""
    _original_load_all()
    threading.Thread(target=save_until_ended, name="saving", daemon=True).start()


def load_stacks(data: dict[str, Any]) -> None:
    """Load the stacks and mark those as ended whose deployment was interrupted."""
    _original_load_stacks(data)
    for stack in cloudformation._stacks._data.values():
        stack["StackStatus"] = ended_status(stack.get("StackStatus", ""))


def ended_status(status: str) -> str:
    """Return the status of a stack whose operation was interrupted: failed, or rolled back for an update.

    In CloudFormation ``UPDATE_ROLLBACK_COMPLETE`` can be updated, and ``CREATE_FAILED`` only deleted.
    """
    if not status.endswith("_IN_PROGRESS"):
        return status
    if status.startswith("UPDATE_"):
        return "UPDATE_ROLLBACK_COMPLETE"
    return "DELETE_FAILED" if status.startswith("DELETE_") else "CREATE_FAILED"


def apply() -> None:
    """Save periodically and end interrupted deployments."""
    # A line for each file at each save would make the log unreadable.
    logging.getLogger("persistence").setLevel(logging.WARNING)
    app.save_all = save_all
    app._load_persisted_state = load_all
    cloudformation.load_persisted_state = load_stacks
