"""Give S3's EventBridge events the members that AWS was recorded to send.

MiniStack omits ``detail.object.version-id`` on versioned buckets; Proxytune reads exactly the version whose
upload started a run. It adds ``event-version``, fractions of seconds in ``time``, and size and ETag of a
deleted object, none of which AWS sends (recorded by LocalStack's tests, 2023 to 2026).
"""

from __future__ import annotations

import contextvars
import json
import re
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
    """Dispatch an event to the rules; those of S3 as AWS sends them."""
    if event.get("Source") == "aws.s3":
        # A view that was parsed before must not be used again.
        event, view = _as_recorded(event), None
    _original_dispatch(event, view)


def _as_recorded(event: dict[str, Any]) -> dict[str, Any]:
    detail = json.loads(event["Detail"])
    detail.pop("event-version", None)
    version = _version.get()
    if version:
        detail["object"]["version-id"] = version
    if event.get("DetailType") == "Object Deleted":
        for name in ("size", "etag"):
            detail["object"].pop(name, None)
    time = re.sub(r"\.\d+Z$", "Z", str(event.get("Time", "")))
    return {**event, "Time": time, "Detail": json.dumps(detail)}


def apply() -> None:
    """Change the events."""
    s3._fire_s3_event = fire_s3_event
    eventbridge._dispatch_event = dispatch_event
