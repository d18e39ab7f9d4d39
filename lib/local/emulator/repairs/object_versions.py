"""S3's EventBridge events name the version that was written, on versioned buckets.

MiniStack leaves ``detail.object.version-id`` out. Proxytune reads exactly the version whose upload started
a run.
"""

from __future__ import annotations

import contextvars
import json
from typing import Any

from ministack.services import eventbridge, s3

_version: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "version of the object in hand", default=None
)

_stock_fire = s3._fire_s3_event
_stock_dispatch = eventbridge._dispatch_event


def fire_s3_event(*args: Any, version_id: str | None = None, **kwargs: Any) -> None:
    """Remember the version while the stock function builds and dispatches its events."""
    token = _version.set(version_id)
    try:
        _stock_fire(*args, version_id=version_id, **kwargs)
    finally:
        _version.reset(token)


def dispatch_event(event: dict[str, Any], view: Any = None) -> None:
    """Dispatch an event to the rules, with the version in S3's."""
    version = _version.get()
    if event.get("Source") == "aws.s3" and version:
        detail = json.loads(event["Detail"])
        detail["object"]["version-id"] = version
        # A view parsed before the version was added must not be used again.
        event, view = {**event, "Detail": json.dumps(detail)}, None
    _stock_dispatch(event, view)


def apply() -> None:
    """Put the version into the events."""
    s3._fire_s3_event = fire_s3_event
    eventbridge._dispatch_event = dispatch_event
