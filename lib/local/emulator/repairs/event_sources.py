"""Allow our own services to publish events with the sources of the AWS services they replace.

AWS and MiniStack reject PutEvents with a source that begins with ``aws.``. The SageMaker and Step Functions
services of the local cloud run outside the emulator, and their state-change events must match the same
rules as in an account.
"""

from __future__ import annotations

from typing import Any

from ministack.services import eventbridge

LOCAL_SOURCES = frozenset({"aws.sagemaker", "aws.states"})

_original_put_events = eventbridge._put_events


def put_events(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
    """Accept entries from the two local services, and reject any other ``aws.*`` source."""
    sources = [entry.get("Source") for entry in data.get("Entries", [])]
    ours = bool(sources) and all(source in LOCAL_SOURCES for source in sources)
    return _original_put_events(data, allow_aws_source or ours)


def apply() -> None:
    """Let the local services publish."""
    eventbridge._put_events = put_events
