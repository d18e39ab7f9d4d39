"""What was made lasts, also when the emulator is killed.

With PERSIST_STATE=1 MiniStack saves its services when it shuts down in order, and only then: after a
SIGKILL the bucket, the table and the stack would be gone while the objects in the bucket stayed. This
repair saves every few seconds too, and only the services in use. A stack whose deployment was cut off would
stay "in progress" for ever, as the task that would end it died with the process; on loading it is marked as
ended, so that the next deployment can go on.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from ministack import app
from ministack.services import cloudformation

#: The services that a stack of ours uses. MiniStack would write eighty files, nearly all of them empty.
KEPT = frozenset(
    [
        "s3",
        "dynamodb",
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

_stock_save_all = app.save_all
_stock_load_all = app._load_persisted_state
_stock_load_stacks = cloudformation.load_persisted_state
_one_at_a_time = threading.Lock()
_ended = threading.Event()


def save_all(services: dict[str, Any]) -> None:
    """Save the services in use, never two savers at once: both would write the same temporary file."""
    with _one_at_a_time:
        _stock_save_all({name: state for name, state in services.items() if name in KEPT})


def save_until_ended(interval: float = INTERVAL) -> None:
    """Save every ``interval`` seconds until ``stop`` is called."""
    while not _ended.wait(interval):
        save_all(app._build_persistence_save_dict())


def stop() -> None:
    """End the periodic saves; the last save, in order, follows at shutdown."""
    _ended.set()


def load_all() -> None:
    """Load every service and only then begin to save: earlier, empty services would overwrite full ones."""
    _stock_load_all()
    threading.Thread(target=save_until_ended, name="saving", daemon=True).start()


def load_stacks(data: dict[str, Any]) -> None:
    """Load the stacks and end those whose deployment was cut off."""
    _stock_load_stacks(data)
    for stack in cloudformation._stacks._data.values():
        stack["StackStatus"] = settled(stack.get("StackStatus", ""))


def settled(status: str) -> str:
    """The status of a stack whose operation died: a creation failed, an update is as good as rolled back.

    CloudFormation lets ``UPDATE_ROLLBACK_COMPLETE`` be updated again and ``CREATE_FAILED`` only be deleted.
    """
    if not status.endswith("_IN_PROGRESS"):
        return status
    if status.startswith("UPDATE_"):
        return "UPDATE_ROLLBACK_COMPLETE"
    return "DELETE_FAILED" if status.startswith("DELETE_") else "CREATE_FAILED"


def apply() -> None:
    """Save periodically and settle what was cut off."""
    # A line for each file at each save would bury what the log is read for.
    logging.getLogger("persistence").setLevel(logging.WARNING)
    app.save_all = save_all
    app._load_persisted_state = load_all
    cloudformation.load_persisted_state = load_stacks
