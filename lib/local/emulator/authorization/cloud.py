"""Judge calls by the policies that the emulator has now, and write them to the trace.

For what AWS's services do themselves: in the name of a role, in their own name, or when they assume a role.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam, sts

from . import trace
from .judge import Call, Verdict, context_of, context_of_service, judge_role, judge_service
from .strictness import CannotJudge, refusal, role_arn

logger = logging.getLogger("authorization")

ACCOUNT = "000000000000"
#: Makes keys that nobody can guess.
_KEY = secrets.token_bytes(32)


def role_named(arn: str) -> dict[str, Any] | None:
    """Return the record of a role, by its ARN or that of one of its sessions; None if it does not exist."""
    arn = role_arn(arn)
    account = arn.split(":")[4] if arn.startswith("arn:") else ACCOUNT
    role: dict[str, Any] | None = iam._roles.get_scoped(account, None, arn.rsplit("/", 1)[-1])
    return role


def identity_policies(arn: str) -> list[Any]:
    """Return the documents of a role's policies, inline and attached."""
    role = role_named(arn)
    if role is None:
        return []
    account = arn.split(":")[4]
    attached = [
        iam_evaluator._resolve_managed_policy_document(policy, account)
        for policy in role.get("AttachedPolicies", [])
    ]
    return [
        *(role.get("InlinePolicies") or {}).values(),
        *(document for document in attached if document),
    ]


def resource_policy(resource: str) -> Any:
    """Return the policy of a resource of the emulator, or None."""
    service = resource.split(":")[2] if resource.startswith("arn:") else ""
    found = iam_evaluator._resource_policy(service, resource)
    return found[0] if found else None


def authorize(principal_arn: str, call: Call) -> Verdict:
    """Judge a call of a role's session, or one that AWS makes in the name of a role. Never raises."""
    try:
        verdict = judge_role(
            principal_arn,
            call,
            identity_policies(principal_arn),
            resource_policy(call.resource),
        )
    except CannotJudge as error:
        return cannot_judge(call, error)
    trace.record(context_of(principal_arn, call), verdict.decision, "identity")
    return verdict


def authorize_service(service: str, call: Call, policy: Any, judged_by: str = "resource") -> Verdict:
    """Judge a call that a service makes in its own name, by the policy of the resource. Never raises."""
    try:
        verdict = judge_service(service, call, policy)
    except CannotJudge as error:
        return cannot_judge(call, error)
    trace.record(context_of_service(service, call), verdict.decision, judged_by, service)
    if not verdict.allowed:
        logger.warning("%s", verdict.reason)
    return verdict


def cannot_judge(call: Call, error: CannotJudge) -> Verdict:
    """Return the denial of a call that the local cloud cannot judge, and log it."""
    return Verdict("Deny", refusal(f"{call.action} on {call.resource}", error))


def source_context(source_arn: str) -> dict[str, str]:
    """Return the keys with which a service names the resource for which it acts, and who owns that."""
    account = source_arn.split(":")[4] if source_arn.startswith("arn:") else get_account_id()
    return {"aws:sourcearn": source_arn, "aws:sourceaccount": account, "aws:sourceowner": account}


def assume(service: str, role: str, source_arn: str) -> Verdict:
    """Judge whether a service may assume a role, by the role's trust policy."""
    record = role_named(role)
    call = Call("sts:AssumeRole", role, source_context(source_arn), get_region())
    if record is None:
        return Verdict("ImplicitDeny", f"The role {role} does not exist")
    return authorize_service(service, call, record.get("AssumeRolePolicyDocument"), "trust")


def session_arn(role: str, name: str) -> str:
    """Return the ARN of a session of a role. The names of sessions have at most 64 characters."""
    account, role_name = role.split(":")[4], role.rsplit("/", 1)[-1]
    return f"arn:aws:sts::{account}:assumed-role/{role_name}/{name[:64]}"


def open_session(role: str, name: str) -> dict[str, str]:
    """Return keys of a session of a role, the same for the same name until the emulator ends."""
    arn = session_arn(role, name)
    _, role_name, session_name = arn.split("/", 2)
    digest = hmac.new(_KEY, f"{role}:{name}".encode(), hashlib.sha256).hexdigest()
    keys = {
        "AccessKeyId": f"ASIA{digest[:16].upper()}",
        "SecretAccessKey": hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        "SessionToken": hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    }
    session = {
        "Arn": arn,
        "UserId": f"{role_name}:{session_name}",
        "AccountId": arn.split(":")[4],
        **{key: keys[key] for key in ("SecretAccessKey", "SessionToken")},
    }
    sts.register_session(keys["AccessKeyId"], session)
    return keys
