"""Make MiniStack's evaluator refuse what it does not understand.

MiniStack treats an unknown operator as a mismatch, an unknown key as absent and an unreadable policy as
empty. For a statement with the effect Deny this allows what AWS denies, and for Allow it hides a typing
error behind a denial.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from ministack.core import iam_evaluator

from .known import is_known_key

logger = logging.getLogger("authorization")


class CannotJudge(Exception):  # noqa: N818 - judge_traced reports it as a decision
    """A policy, key or action that the evaluator cannot judge; the call is refused."""


def refusal(what: str, why: object) -> str:
    """Log that a call is refused because it cannot be judged, and return the sentence for the caller."""
    sentence = f"The local cloud cannot judge {what}: {why}"
    logger.error("%s", sentence)
    return sentence


_STATEMENT_ELEMENTS = frozenset(
    (
        *("Sid", "Effect", "Principal", "Action", "NotAction"),
        *("Resource", "NotResource", "Condition"),
    )
)
_PRINCIPAL_KINDS = frozenset(("AWS", "Service", "Federated"))

_original_resolve = iam_evaluator._resolve_condition_key
_original_condition = iam_evaluator._evaluate_single_condition
_original_resource_matches = iam_evaluator._resource_matches
_original_parse = iam_evaluator.parse_policy_document
_original_evaluate_resource_policy = iam_evaluator.evaluate_resource_policy
_original_evaluate_trust_policy = iam_evaluator.evaluate_trust_policy


def resolve_condition_key(key: str, ctx: Any) -> Any:
    """Return a key's value in the request, or None if the request has none.

    Raises:
        CannotJudge: if the local cloud does not fill the key.
    """
    if not is_known_key(key, ctx.action):
        raise CannotJudge(f"the condition key {key} of {ctx.action} is not filled in the local cloud")
    name = key.lower()
    if name in ctx.service_context:
        return ctx.service_context[name]
    if name == "aws:principalarn":
        return role_arn(ctx.principal_arn)
    return _original_resolve(key, ctx)


def role_arn(principal_arn: str) -> str:
    """Return the ARN of a session's role, which AWS puts into aws:PrincipalArn; any other ARN as it is."""
    account, kind, rest = _split(principal_arn)
    return f"arn:aws:iam::{account}:role/{rest.split('/')[0]}" if kind == "assumed-role" else principal_arn


def _split(arn: str) -> tuple[str, str, str]:
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return "", "", ""
    kind, _, rest = parts[5].partition("/")
    return parts[4], kind, rest


def evaluate_single_condition(operator: str, actual: Any, expected: list[str]) -> bool:
    """Evaluate one key of a condition.

    Raises:
        CannotJudge: for an unknown operator, a policy variable, an invalid number, or a list of values under
            an operator for single values.
    """
    name = operator.lower().removesuffix("ifexists")
    plain = name.removeprefix("forallvalues:").removeprefix("foranyvalue:")
    if plain not in iam_evaluator._CONDITION_OPS and plain != "null":
        raise CannotJudge(f"the condition operator {operator} is unknown")
    if any("${" in value for value in expected):
        raise CannotJudge(f"policy variables are not replaced: {expected}")
    if plain.startswith("numeric"):
        _require_numbers([*expected, *([] if actual is None else _list(actual))])
    if isinstance(actual, list) and plain != "null" and name == plain:
        raise CannotJudge(f"{operator} compares single values, but the request has several: {actual}")
    return _original_condition(operator, actual, expected)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _require_numbers(values: list[Any]) -> None:
    for value in values:
        try:
            float(value)
        except (TypeError, ValueError) as error:
            raise CannotJudge(f"{value!r} is compared as a number") from error


def resource_matches(arn: str, resources: list[str], not_resources: list[str]) -> bool:
    """Match a resource.

    Raises:
        CannotJudge: if a pattern contains a policy variable.
    """
    if any("${" in pattern for pattern in (*resources, *not_resources)):
        raise CannotJudge(f"policy variables are not replaced: {[*resources, *not_resources]}")
    return _original_resource_matches(arn, resources, not_resources)


def parse_policy_document(document: Any) -> list[Any]:
    """Parse a policy.

    Raises:
        CannotJudge: if a part of it would be ignored.
    """
    require_readable(document)
    return _original_parse(document)


def evaluate_resource_policy(document: Any, *args: Any, **kwargs: Any) -> Any:
    """Evaluate a resource's policy, every statement of which has to be readable."""
    require_readable(document)
    return _original_evaluate_resource_policy(document, *args, **kwargs)


def evaluate_trust_policy(document: Any, *args: Any, **kwargs: Any) -> bool:
    """Evaluate a trust policy, every statement of which has to be readable."""
    require_readable(document)
    return _original_evaluate_trust_policy(document, *args, **kwargs)


def require_readable(document: Any) -> None:
    """Check that the evaluator reads every element of a policy.

    Raises:
        CannotJudge: if it does not.
    """
    if not document:
        return
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError as error:
            raise CannotJudge(f"a policy is not JSON: {error}") from error
    statements = document.get("Statement") if isinstance(document, dict) else None
    for statement in [statements] if isinstance(statements, dict) else statements or []:
        unknown = set(statement) - _STATEMENT_ELEMENTS
        if unknown:
            raise CannotJudge(f"the element {', '.join(sorted(unknown))} of a statement is unknown")
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise CannotJudge(f"the effect {statement.get('Effect')!r} is unknown")
        principal = statement.get("Principal")
        if isinstance(principal, dict) and set(principal) - _PRINCIPAL_KINDS:
            raise CannotJudge(f"the principal {principal} is unknown")
        if not all(isinstance(block, dict) for block in (statement.get("Condition") or {}).values()):
            raise CannotJudge(f"the condition {statement['Condition']} is unknown")


def apply() -> None:
    """Replace the lenient parts of the evaluator."""
    iam_evaluator._resolve_condition_key = resolve_condition_key
    iam_evaluator._evaluate_single_condition = evaluate_single_condition
    iam_evaluator._resource_matches = resource_matches
    iam_evaluator.parse_policy_document = parse_policy_document
    iam_evaluator.evaluate_resource_policy = evaluate_resource_policy
    iam_evaluator.evaluate_trust_policy = evaluate_trust_policy
