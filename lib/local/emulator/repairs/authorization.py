"""Judge every request to the emulator as IAM does, strictly, and write each decision to the trace.

MiniStack judges requests when it is started with AUTH=true. This repair refuses actions and policies that it
cannot judge instead of ignoring them, fills missing condition keys, completes AWS's sentence of a denial, and
accepts only the configured key as the account's own.
"""

from __future__ import annotations

import contextvars
import json
import logging
import os
from typing import Any

from authorization import strictness, trace
from authorization.judge import require_known_action
from authorization.strictness import CannotJudge
from ministack import app
from ministack.core import iam_actions, iam_evaluator

logger = logging.getLogger("repairs.authorization")

#: The evaluator's context of the call that is being judged; None until a policy is looked at.
_judged: contextvars.ContextVar[iam_evaluator.EvalContext | None] = contextvars.ContextVar(
    "judged call", default=None
)

_original_enforce = iam_evaluator.enforce
_original_evaluate = iam_evaluator.evaluate
_original_resource_arn = iam_actions.extract_resource_arn
_original_tag_context = iam_actions.request_tag_context
_original_denied = iam_actions.access_denied_response
_original_authenticate_only = app._authenticate_only


class LocalOrigin:
    """Where requests come from. Connections within this machine stand for connections with TLS."""

    def __init__(self) -> None:
        """Start without a request, as threads do that deliver events."""
        self._address: contextvars.ContextVar[str] = contextvars.ContextVar("address", default="127.0.0.1")

    def get(self) -> tuple[str, bool]:
        """Return the address, and that the connection is secure."""
        return self._address.get(), True

    def set(self, origin: tuple[str, bool]) -> None:
        """Remember the address of the current request."""
        self._address.set(origin[0])


def evaluate(ctx: iam_evaluator.EvalContext, policies: Any, *limits: Any) -> Any:
    """Evaluate policies, and remember for which call."""
    _judged.set(ctx)
    return _original_evaluate(ctx, policies, *limits)


def is_root_access_key(access_key_id: str) -> bool:
    """Return True for the account's own key; MiniStack also accepts account ids and the key ``test``."""
    return not access_key_id or access_key_id == os.environ.get("AWS_ACCESS_KEY_ID")


def enforce(
    access_key_id: str,
    iam_action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: dict[str, Any] | None = None,
) -> Any:
    """Judge a request. Returns None if it may proceed, as the original does."""
    context = {**(service_context or {}), "aws:PrincipalIsAWSService": "false"}
    if service == "s3":
        context["s3:TlsVersion"] = "1.3"
    _judged.set(None)
    try:
        if not is_root_access_key(access_key_id):
            require_known_action(iam_action)
        result = _original_enforce(access_key_id, iam_action, service, region, resource_arn, context)
    except CannotJudge as error:
        return denial(f"{iam_action} on {resource_arn}", error)
    ctx = _judged.get()
    if ctx is not None:
        decision = "Allow" if result is None else getattr(result, "decision", "Deny")
        trace.record(ctx, decision, "identity")
        if result is not None:
            logger.warning(
                "%s may not %s on %s: %s",
                ctx.principal_arn,
                iam_action,
                resource_arn,
                decision,
            )
    return result


def denial(what: str, why: object) -> iam_evaluator.AuthError:
    """Return the denial of a request that cannot be judged, and log it."""
    return iam_evaluator.AuthError("AccessDenied", strictness.refusal(what, why))


def extract_resource_arn(service: str, *request: Any) -> str:
    """Return the resource of a request, for ECR and Logs as AWS's denials name it.

    DescribeRepositories names its repository in a list, and the ARN of a log group ends in ``:log-stream:``.
    """
    arn: str = _original_resource_arn(service, *request)
    body, region, account = request[3], request[5], request[6]
    if service == "logs" and ":log-group:" in arn and ":" not in arn.partition(":log-group:")[2]:
        return f"{arn}:log-stream:{_parse(body).get('logStreamName', '')}"
    if service != "ecr" or arn != "*":
        return arn
    repositories = _parse(body).get("repositoryNames") or []
    return f"arn:aws:ecr:{region}:{account}:repository/{repositories[0]}" if len(repositories) == 1 else arn


def request_keys(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
    """Return the condition keys of a request, with those that MiniStack does not fill."""
    context: dict[str, Any] = _original_tag_context(service, iam_action, body, params)
    if iam_action == "sns:Subscribe":
        for name in ("Protocol", "Endpoint"):
            value = iam_actions._query_param(params, name)
            if value:
                context[f"sns:{name}"] = value
    if iam_action == "cloudwatch:PutMetricData":
        namespace = iam_actions._query_param(params, "Namespace") or _parse(body).get("Namespace")
        if namespace:
            context["cloudwatch:namespace"] = str(namespace)
    return context


def _parse(body: bytes) -> dict[str, Any]:
    """Return the members of a JSON body, and nothing for CBOR, which MiniStack reads only with cbor2."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def access_denied_response(
    service: str, action: str, principal_arn: str, request_id: str, **details: Any
) -> Any:
    """Format a denial with the resource, which MiniStack names for a few services only."""
    by_resource = details.get("explicit_deny") and details.get("resource_policy_arn")
    if not details.get("message") and not details.get("error_code") and not by_resource:
        resource = details.get("resource_arn", "*")
        details["message"] = iam_actions.identity_denial_message(
            action,
            principal_arn,
            f'"{resource}"' if service == "s3" else resource,
            bool(details.get("explicit_deny")),
        )
    return _original_denied(service, action, principal_arn, request_id, **details)


def authenticate_only(
    service: str, headers: dict[str, str], query_params: dict[str, Any], request_id: str
) -> Any:
    """Refuse a request for which MiniStack knows no action, unless the account's own key made it."""
    failure = _original_authenticate_only(service, headers, query_params, request_id)
    if failure:
        return failure
    if app.AUTH and not is_root_access_key(app.extract_access_key_id(headers, query_params) or ""):
        denied = denial(f"a request to {service}", "its action is unknown")
        return app._credential_failure(service, "", request_id, denied, headers)
    return None


def apply() -> None:
    """Judge strictly, and record what was judged."""
    strictness.apply()
    trace.configure()
    iam_evaluator._request_origin = LocalOrigin()
    iam_evaluator.is_root_access_key = is_root_access_key
    iam_evaluator.evaluate = evaluate
    iam_evaluator.enforce = enforce
    iam_actions.extract_resource_arn = extract_resource_arn
    iam_actions.request_tag_context = request_keys
    iam_actions.access_denied_response = access_denied_response
    app._authenticate_only = authenticate_only
