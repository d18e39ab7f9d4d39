"""Judge one call by given policies: everything that MiniStack does not judge itself is decided here.

Needs no running emulator, so that the calls of a trace can be judged again by other policies:
``python -m authorization.judge`` reads a JSON object per line (``{"call", "identity", "resource", "trust"}``,
the call as in a trace, the rest policy documents) and prints one per line (``{"decision", "reason"}``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ministack.core import iam_evaluator

from . import strictness
from .known import is_known_action
from .strictness import CannotJudge

Document = Mapping[str, Any] | str


@dataclass(frozen=True)
class Call:
    """A permission that is asked for."""

    action: str
    resource: str
    #: Condition keys in lower case; a list for a key with several values.
    context: Mapping[str, Any] = field(default_factory=dict)
    region: str = "us-east-1"


@dataclass(frozen=True)
class Verdict:
    """A decision, and the sentence in which AWS gives the reason of a denial."""

    decision: str
    reason: str = ""

    @property
    def allowed(self) -> bool:
        """Return True if the call may proceed."""
        return self.decision == "Allow"


def require_known_action(action: str) -> None:
    """Check that the keys of an action are filled.

    Raises:
        CannotJudge: if the action is not in the list.
    """
    if not is_known_action(action):
        raise CannotJudge(
            f"the action {action} is not known to the local cloud; add it to authorization/known.py "
            "once the condition keys that AWS fills for it are filled here"
        )


def context_of(principal_arn: str, call: Call, kind: str = "AssumedRole") -> iam_evaluator.EvalContext:
    """Return the evaluator's context of a call."""
    account = principal_arn.split(":")[4] if principal_arn.startswith("arn:") else ""
    keys = {name.lower(): value for name, value in call.context.items()}
    keys.setdefault("aws:tagkeys", None)
    keys.setdefault("aws:principalisawsservice", "false")
    return iam_evaluator.EvalContext(
        principal_arn=principal_arn,
        principal_type=kind,
        principal_account=account,
        action=call.action,
        resource_arn=call.resource,
        region=call.region,
        secure_transport=True,
        service_context=keys,
    )


def context_of_service(service: str, call: Call) -> iam_evaluator.EvalContext:
    """Return the evaluator's context of a call that a service makes in its own name."""
    keys = {
        **call.context,
        "aws:principalisawsservice": "true",
        "aws:principalservicename": service,
    }
    # "*" names nobody in an account, so no statement about an account applies.
    return context_of("*", replace(call, context=keys), "Service")


def judge_role(
    principal_arn: str,
    call: Call,
    identity: Sequence[Document],
    resource: Document | None = None,
) -> Verdict:
    """Judge a call of a role, or of its session, by the role's policies and the policy of the resource.

    Raises:
        CannotJudge: if the action or a part of a policy is unknown.
    """
    require_known_action(call.action)
    ctx = context_of(principal_arn, call)
    policies = [iam_evaluator.parse_policy_document(document) for document in identity]
    result = iam_evaluator.evaluate(ctx, policies)
    if resource:
        result = iam_evaluator.combine_resource_policy(result, ctx, resource, None)
    if result.decision == "Allow":
        return Verdict("Allow")
    explicit = result.decision == "Deny"
    if explicit and result.resource_policy_arn:
        why = "with an explicit deny in a resource-based policy"
    elif explicit:
        why = "with an explicit deny in an identity-based policy"
    else:
        why = f"because no identity-based policy allows the {call.action} action"
    return Verdict(result.decision, _sentence(f"User: {principal_arn}", call, why))


def judge_service(service: str, call: Call, policy: Document | None) -> Verdict:
    """Judge a call of a service by the policy of the resource: a queue's, a function's, or a role's trust.

    Raises:
        CannotJudge: if the action or a part of the policy is unknown.
    """
    require_known_action(call.action)
    ctx = context_of_service(service, call)
    decision = iam_evaluator.evaluate_resource_policy(policy, ctx, service=service).decision
    if decision == "Allow":
        return Verdict("Allow")
    kind = "trust" if call.action.startswith("sts:") else "resource-based"
    why = (
        f"with an explicit deny in a {kind} policy"
        if decision == "Deny"
        else f"because no {kind} policy allows the {call.action} action"
    )
    return Verdict(decision, _sentence(f"Service: {service}", call, why))


def _sentence(who: str, call: Call, why: str) -> str:
    on = f" on resource: {call.resource}"
    return f"{who} is not authorized to perform: {call.action}{on} {why}"


def judge_traced(call: Mapping[str, Any], policies: Mapping[str, Any]) -> Verdict:
    """Judge a call of a trace by other policies; what cannot be judged is denied."""
    asked = Call(call["action"], call["resource"], call["context"])
    principal = call["principal"]
    try:
        if call["judgedBy"] == "identity":
            return judge_role(principal["role"], asked, policies["identity"], policies.get("resource"))
        by = "trust" if call["judgedBy"] == "trust" else "resource"
        return judge_service(principal["service"], asked, policies.get(by))
    except CannotJudge as error:
        return Verdict("CannotJudge", str(error))


def main() -> None:
    """Judge the calls in the standard input."""
    strictness.apply()
    for line in sys.stdin:
        asked = json.loads(line)
        verdict = judge_traced(asked["call"], asked)
        print(
            json.dumps({"decision": verdict.decision, "reason": verdict.reason}),
            flush=True,
        )


if __name__ == "__main__":
    main()
