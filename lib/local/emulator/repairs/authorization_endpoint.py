"""Answer our own services, which ask who made a request and what a principal may do.

The Step Functions and SageMaker services run outside the emulator, which has the roles, their policies and
the issued keys. Only a service that knows the secret of this start gets an answer. All requests are POST with
JSON:

- ``/_proxytune/authorize``: ``{"request": REQUEST, "calls": [CALL], "passes"}``, or ``{"role", "session",
  "calls"}`` for what AWS does in the name of a role. REQUEST is ``{"method", "path", "headers", "body"}`` and
  CALL ``{"action", "resource", "context"}``; ``passes`` is ``{"service", "role", "source"}``, if the request
  passes a role to a service.
- ``/_proxytune/session``: ``{"service", "role", "source", "session"}`` for the keys of a service that acts as
  a role.
"""

from __future__ import annotations

import base64
import contextvars
import hmac
import json
import os
from collections.abc import Callable
from typing import Any

from authorization import cloud
from authorization.judge import Call, Verdict
from ministack import app
from ministack.core import iam_evaluator
from ministack.core.responses import (
    get_region,
    set_request_account_id,
    set_request_region,
)

SECRET_ENV = "PROXYTUNE_SECRET"
SECRET_HEADER = "x-proxytune-secret"
PREFIX = "/_proxytune/"

_original_shortcuts = app._handle_post_body_shortcuts
_secret = ""

Answer = dict[str, Any]


async def handle_post_body_shortcuts(
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: Any,
    request_id: str,
) -> Any:
    """Serve the two internal routes, and everything else as before."""
    if not path.startswith(PREFIX):
        return await _original_shortcuts(method, path, headers, body, query_params, request_id)
    if not _secret or not hmac.compare_digest(headers.get(SECRET_HEADER, ""), _secret):
        return _reply(403, {"message": "This route is internal to the local cloud."})
    route = {"authorize": authorize, "session": session}.get(path.removeprefix(PREFIX))
    if route is None or method != "POST":
        return _reply(404, {"message": f"There is no route {method} {path}."})
    # In a context of its own: the request that is asked about is not the one that asks.
    return _reply(200, contextvars.copy_context().run(_answer, route, json.loads(body)))


def _answer(route: Callable[[Answer], Answer], asked: Answer) -> Answer:
    set_request_account_id(cloud.ACCOUNT)
    set_request_region("us-east-1")
    return route(asked)


def _reply(status: int, answer: Answer) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(answer).encode()


def authorize(asked: Answer) -> Answer:
    """Say who asks, and whether they may do everything that is listed."""
    if "role" in asked:
        return _judge(cloud.session_arn(asked["role"], asked["session"]), asked["calls"])
    who = _authenticate(asked["request"])
    if isinstance(who, iam_evaluator.AuthError):
        return {"allowed": False, "code": who.code, "message": who.message}
    # No policy limits the account's own key, but a role has to trust the service all the same.
    answer = {"allowed": True} if who.endswith(":root") else _judge(who, asked["calls"])
    passes = asked.get("passes")
    if answer["allowed"] and passes:
        verdict = cloud.assume(passes["service"], passes["role"], passes["source"])
        if not verdict.allowed:
            answer = {
                "allowed": False,
                "code": "RoleNotAssumable",
                "message": verdict.reason,
            }
    return {"principal": who, **answer}


def _judge(principal_arn: str, calls: list[Answer]) -> Answer:
    verdicts: list[Verdict] = [
        cloud.authorize(
            principal_arn,
            Call(one["action"], one["resource"], one.get("context", {}), get_region()),
        )
        for one in calls
    ]
    denied = next((verdict for verdict in verdicts if not verdict.allowed), None)
    if denied is None:
        return {"allowed": True}
    return {"allowed": False, "code": "AccessDeniedException", "message": denied.reason}


def _authenticate(request: Answer) -> str | iam_evaluator.AuthError:
    """Check the signature of a request as it arrived at a service. Returns the ARN of who signed it."""
    headers = {name.lower(): value for name, value in request["headers"].items()}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    iam_evaluator.pin_signed_request(request["method"], request["path"], {}, raw)
    iam_evaluator.pin_signed_body(base64.b64decode(request["body"]))
    key = app.extract_access_key_id(headers, {}) or ""
    if not key:
        return iam_evaluator.AuthError("MissingAuthenticationTokenException", "Missing Authentication Token")
    checked = iam_evaluator.authenticate(key, cloud.ACCOUNT)
    if isinstance(checked, iam_evaluator.AuthError):
        return checked
    found = checked or iam_evaluator.resolve_credential(key, cloud.ACCOUNT)
    if isinstance(found, iam_evaluator.CredentialResolutionError):
        return iam_evaluator.AuthError(found.code, found.message)
    return found.principal_arn


def session(asked: Answer) -> Answer:
    """Open a session of a role for a service that the role trusts."""
    verdict = cloud.assume(asked["service"], asked["role"], asked["source"])
    if not verdict.allowed:
        return {"allowed": False, "code": "RoleNotAssumable", "message": verdict.reason}
    return {
        "allowed": True,
        "keys": cloud.open_session(asked["role"], asked["session"]),
    }


def apply() -> None:
    """Serve the routes. The secret is removed from the environment, which functions get."""
    global _secret
    _secret = os.environ.pop(SECRET_ENV, "")
    app._handle_post_body_shortcuts = handle_post_body_shortcuts
