"""Our own services may publish events as the AWS services they stand for.

AWS, and MiniStack with it, refuses PutEvents with a source that begins with ``aws.``. The SageMaker and
Step Functions services of the one-machine cloud live outside the emulator, and their state-change events
must match the same rules as in an account.
"""

from __future__ import annotations

from typing import Any

from ministack.services import eventbridge

LOCAL_SOURCES = frozenset({"aws.sagemaker", "aws.states"})

_stock_put_events = eventbridge._put_events


def put_events(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
    """PutEvents that takes entries from the two local services and refuses any other ``aws.*`` source."""
    sources = [entry.get("Source") for entry in data.get("Entries", [])]
    ours = bool(sources) and all(source in LOCAL_SOURCES for source in sources)
    return _stock_put_events(data, allow_aws_source or ours)


def apply() -> None:
    """Let the local services publish."""
    eventbridge._put_events = put_events
