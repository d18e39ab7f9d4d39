"""A custom resource whose function breaks fails the stack at once, with the function's own words.

MiniStack, like AWS, waits up to an hour for the answer of a function that crashed before it could answer.
Nobody waits an hour for a deployment on one machine, and the reason would be lost.
"""

from __future__ import annotations

from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import custom_resource

_stock_execute = lambda_svc._execute_function_with_config_scope


def execute(func: dict[str, Any], event: Any) -> dict[str, Any]:
    """Run a function; if it was asked by CloudFormation and broke, answer in its stead."""
    result = _stock_execute(func, event)
    if (
        result.get("error")
        and isinstance(event, dict)
        and "ResponseURL" in event
        and "LogicalResourceId" in event
    ):
        answer_failure(event["ResponseURL"].rsplit("/", 1)[-1], result.get("body"))
    return result


def answer_failure(token: str, body: Any) -> None:
    """Answer a pending request with the function's error, unless it was answered before."""
    pending = custom_resource._pending.get(token)
    if pending is None or pending["event"].is_set():
        return
    error = body if isinstance(body, dict) else {}
    reason = f"{error.get('errorType', 'Error')}: {error.get('errorMessage', body)}"
    custom_resource.deliver_response(token, {"Status": "FAILED", "Reason": reason})


def apply() -> None:
    """Let CloudFormation hear of functions that break."""
    lambda_svc._execute_function_with_config_scope = execute
