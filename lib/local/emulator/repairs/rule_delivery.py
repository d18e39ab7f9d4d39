"""Deliver events of rules as EventBridge does: asynchronously to functions, or to the dead-letter queue.

MiniStack runs a rule's Lambda target once and ignores the outcome: no retry, no failure destination; it also
ignores a target's ``DeadLetterConfig``. On AWS a rule invokes a function asynchronously, with the function's
own retries and destination, if the function's policy allows it; the target's dead-letter queue gets the
events that could not be delivered.
"""

from __future__ import annotations

import contextvars
import json
import logging
from typing import Any

from ministack.services import eventbridge, lambda_svc, sqs

from . import service_calls

logger = logging.getLogger("repairs.rule_delivery")

EVENTS = "events.amazonaws.com"

_original_invoke_target = eventbridge._invoke_target

_delivery: contextvars.ContextVar[tuple[dict[str, Any], dict[str, Any]] | None] = contextvars.ContextVar(
    "current target and rule", default=None
)


def invoke_target(
    target: dict[str, Any],
    event: dict[str, Any],
    rule: dict[str, Any],
    view: Any = None,
) -> None:
    """Store target and rule while the original function prepares and dispatches the input."""
    token = _delivery.set((target, rule))
    try:
        _original_invoke_target(target, event, rule, view)
    finally:
        _delivery.reset(token)


def dispatch_to_lambda(arn: str, payload: str) -> None:
    """Invoke a function asynchronously, or send the event to the dead-letter queue if it does not exist."""
    func, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not func or not config:
        send_to_dead_letter_queue(payload, "NO_RESOURCE", f"The function {name} does not exist")
        return
    _, rule = _delivery.get() or ({}, {})
    if not service_calls.function_policy_allows(arn, EVENTS, rule.get("Arn", "")):
        send_to_dead_letter_queue(payload, "NO_PERMISSIONS", f"{EVENTS} may not invoke the function {name}")
        return
    record = lambda_svc._execution_record_for_config(func, config)
    lambda_svc.invoke_async_with_retry(record, json.loads(payload))


def send_to_dead_letter_queue(payload: str, code: str, message: str) -> None:
    """Send an undeliverable event to its target's dead-letter queue, with EventBridge's attributes."""
    target, rule = _delivery.get() or ({}, {})
    logger.warning(
        "Rule %s could not deliver to %s: %s",
        rule.get("Name"),
        target.get("Arn"),
        message,
    )
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue_arn:
        return
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        logger.error("The dead-letter queue %s does not exist; the event is dropped", queue_arn)
        return
    if not service_calls.queue_policy_allows(queue_arn, EVENTS, rule.get("Arn", ""), ""):
        logger.error(
            "%s may not send to the dead-letter queue %s; the event is dropped",
            EVENTS,
            queue_arn,
        )
        return
    facts = {
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message,
        "RULE_ARN": rule.get("Arn", ""),
        "TARGET_ARN": target.get("Arn", ""),
    }
    attributes = {key: {"DataType": "String", "StringValue": value} for key, value in facts.items() if value}
    sqs._act_send_message({"MessageBody": payload, "MessageAttributes": attributes}, queue["url"])


def apply() -> None:
    """Invoke functions asynchronously and use the dead-letter queue."""
    eventbridge._invoke_target = invoke_target
    eventbridge._dispatch_to_lambda = dispatch_to_lambda
