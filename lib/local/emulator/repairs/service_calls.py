"""Judge deliveries of AWS's services by the policies of queues, topics, functions and roles.

MiniStack lets a rule invoke any function, an alarm publish to any topic, and Lambda assume any role, write
any log and send failures to any queue. On AWS each of these needs a permission, and a delivery without it is
lost.
"""

from __future__ import annotations

import contextvars
import logging
from typing import Any

from authorization import cloud
from authorization.judge import Call
from ministack import app
from ministack.core import lambda_runtime
from ministack.core.responses import get_region
from ministack.services import cloudwatch, lambda_svc, sns, sqs

logger = logging.getLogger("repairs.service_calls")

_original_logs = lambda_svc._emit_lambda_logs
_original_failure = lambda_svc._route_async_failure
_original_credentials = lambda_runtime.execution_credentials
_original_alarm = cloudwatch._dispatch_alarm_actions
_original_fanout = sns._fanout

_alarm_arn: contextvars.ContextVar[str] = contextvars.ContextVar("alarm that acts", default="")


def may_deliver(service: str, action: str, resource: str, source_arn: str, policy: Any) -> bool:
    """Return True if the policy of a resource lets a service act for another resource of the account."""
    if not app.AUTH:
        return True
    context = cloud.source_context(source_arn)
    return cloud.authorize_service(service, Call(action, resource, context, get_region()), policy).allowed


def queue_policy_allows(queue_arn: str, service: str, source_arn: str, source_account: str) -> bool:
    """Return True if a service may send to the queue."""
    found = sqs.queue_policy_for_arn(queue_arn)
    return found is not None and may_deliver(service, "sqs:SendMessage", queue_arn, source_arn, found[0])


def topic_policy_allows(topic_arn: str, service: str, source_arn: str, source_account: str) -> bool:
    """Return True if a service may publish to the topic."""
    found = sns.topic_policy_for_arn(topic_arn)
    return found is not None and may_deliver(service, "sns:Publish", topic_arn, source_arn, found[0])


def function_policy_allows(function_arn: str, service: str, source_arn: str) -> bool:
    """Return True if a service may invoke the function."""
    found = lambda_svc.function_policy_for_arn(function_arn)
    policy = found[0] if found else None
    return may_deliver(service, "lambda:InvokeFunction", function_arn, source_arn, policy)


def dispatch_alarm_actions(alarm: dict[str, Any], *change: Any) -> None:
    """Act on the new state of an alarm, and remember which one it is."""
    token = _alarm_arn.set(alarm.get("AlarmArn", ""))
    try:
        _original_alarm(alarm, *change)
    finally:
        _alarm_arn.reset(token)


def fanout(topic_arn: str, *message: Any, **options: Any) -> Any:
    """Deliver a message to the subscribers of a topic; one of an alarm only if the topic's policy allows."""
    alarm = _alarm_arn.get()
    if alarm and not topic_policy_allows(topic_arn, "cloudwatch.amazonaws.com", alarm, cloud.ACCOUNT):
        return None
    return _original_fanout(topic_arn, *message, **options)


def as_function(config: dict[str, Any], action: str, resource: str) -> bool:
    """Return True if the role of a function may do what Lambda does in its name."""
    if not app.AUTH:
        return True
    session = cloud.session_arn(config.get("Role", ""), config.get("FunctionName", ""))
    verdict = cloud.authorize(session, Call(action, resource, {}, get_region()))
    if not verdict.allowed:
        logger.warning("%s", verdict.reason)
    return verdict.allowed


def emit_lambda_logs(func: dict[str, Any], *output: Any, **options: Any) -> None:
    """Write the output of a function to its log group, if its role may."""
    config = func.get("config") or func
    name = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config.get('FunctionName')}"
    _, _, _, region, account, _ = config.get("FunctionArn", "::::::").split(":", 5)
    stream = f"arn:aws:logs:{region}:{account}:log-group:{name}:log-stream:{config.get('FunctionName')}"
    # Both are asked for, so that a trace has both.
    allowed = [
        as_function(config, f"logs:{action}", stream) for action in ("CreateLogStream", "PutLogEvents")
    ]
    if all(allowed):
        _original_logs(func, *output, **options)


def route_async_failure(target_arn: str, func_name: str, event: Any, result: dict[str, Any]) -> None:
    """Send an event that a function failed to process to its destination, if its role may."""
    func = lambda_svc._functions.get(func_name) or {}
    actions = {
        "sqs": "sqs:SendMessage",
        "sns": "sns:Publish",
        "lambda": "lambda:InvokeFunction",
    }
    action = actions.get(target_arn.split(":")[2], target_arn)
    if as_function(func.get("config") or {}, action, target_arn):
        _original_failure(target_arn, func_name, event, result)


def execution_credentials(config: dict[str, Any]) -> dict[str, str]:
    """Return the keys of a function, if Lambda may assume its role.

    Raises:
        PermissionError: if it may not.
    """
    if app.AUTH:
        verdict = cloud.assume(
            "lambda.amazonaws.com",
            config.get("Role", ""),
            config.get("FunctionArn", ""),
        )
        if not verdict.allowed:
            raise PermissionError(
                f"The role defined for the function cannot be assumed by Lambda. {verdict.reason}"
            )
    return _original_credentials(config)


def apply() -> None:
    """Ask for each delivery."""
    sqs.queue_policy_allows = queue_policy_allows
    sns.topic_policy_allows = topic_policy_allows
    sns._fanout = fanout
    cloudwatch._dispatch_alarm_actions = dispatch_alarm_actions
    lambda_svc._emit_lambda_logs = emit_lambda_logs
    lambda_svc._route_async_failure = route_async_failure
    lambda_runtime.execution_credentials = execution_credentials
    lambda_svc.execution_credentials = execution_credentials
