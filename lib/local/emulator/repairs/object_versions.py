"""Add the object version to S3's EventBridge events, on versioned buckets.

MiniStack omits ``detail.object.version-id``. Proxytune reads exactly the version whose upload started a run.
"""

from __future__ import annotations

import contextvars
import json
from typing import Any

from ministack.services import eventbridge, s3

_version: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "version of the current object", default=None
)

_original_fire = s3._fire_s3_event
_original_dispatch = eventbridge._dispatch_event


def fire_s3_event(*args: Any, version_id: str | None = None, **kwargs: Any) -> None:
    """Store the version while the original function builds and dispatches its events."""
    token = _version.set(version_id)
    try:
        _original_fire(*args, version_id=version_id, **kwargs)
    finally:
        _version.reset(token)


def dispatch_event(event: dict[str, Any], view: Any = None) -> None:
    """Dispatch an event to the rules, with the version in events of S3."""
    version = _version.get()
    if event.get("Source") == "aws.s3" and version:
        detail = json.loads(event["Detail"])
        detail["object"]["version-id"] = version
        # A view parsed before the version was added must not be used again.
        event, view = {**event, "Detail": json.dumps(detail)}, None
    _original_dispatch(event, view)


def apply() -> None:
    """Add the version to the events."""
    s3._fire_s3_event = fire_s3_event
    eventbridge._dispatch_event = dispatch_event
