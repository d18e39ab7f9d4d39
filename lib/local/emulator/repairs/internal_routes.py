"""Refuse MiniStack's own routes, which nobody has to sign.

With one of them anybody who reaches the port could delete everything (``/_ministack/reset``), change settings
(``/_ministack/config``) or read messages and code. AWS has none of them.
"""

from __future__ import annotations

import json
from typing import Any

from ministack import app

PREFIXES = ("/_ministack", "/_localstack")
#: ``lib/local/emulator/start.ts`` asks for it until the emulator answers.
HEALTH = "/_ministack/health"
#: Custom resources and wait conditions of CloudFormation answer here. The path has a token that is secret.
ANSWERS = ("/_ministack/cfn-response/", "/_ministack/cfn-signal/")

_original = app._handle_pre_body_request


def is_refused(method: str, path: str) -> bool:
    """Return True for a route of MiniStack that the local cloud does not need."""
    if not path.startswith(PREFIXES):
        return False
    return path != HEALTH and not (method == "PUT" and path.startswith(ANSWERS))


async def handle_pre_body_request(
    method: str, path: str, headers: dict[str, str], query_params: dict[str, Any], request_id: str
) -> Any:
    """Refuse internal routes before anything else looks at the request."""
    if is_refused(method, path):
        message = {"message": f"The local cloud does not serve {path}."}
        return 403, {"Content-Type": "application/json"}, json.dumps(message).encode()
    return await _original(method, path, headers, query_params, request_id)


def apply() -> None:
    """Refuse the routes."""
    app._handle_pre_body_request = handle_pre_body_request
