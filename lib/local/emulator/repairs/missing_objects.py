"""Refuse a request for a missing object to those who may not list the bucket, as S3 does.

Otherwise anybody could find out which objects exist. S3 answers 404 only if the caller may call
s3:ListBucket on the bucket, with the object's key as ``s3:prefix``
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html; ceph/ceph#68577 observed the prefix).
MiniStack always answers 404.
"""

from __future__ import annotations

from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator

_original = app.SERVICE_HANDLERS["s3"]


async def handle(
    method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> Any:
    """Serve a request of S3; a missing object only as its caller may know."""
    response = await _original(method, path, headers, body, query_params)
    bucket, _, key = path.lstrip("/").partition("/")
    if not app.AUTH or response[0] != 404 or method not in ("GET", "HEAD") or not key:
        return response
    caller = app.extract_access_key_id(headers, query_params) or ""
    resource = f"arn:aws:s3:::{bucket}"
    region = app.extract_region(headers, query_params)
    denied = iam_evaluator.enforce(caller, "s3:ListBucket", "s3", region, resource, {"s3:prefix": key})
    if denied is None:
        return response
    if isinstance(denied, iam_evaluator.AuthError):
        return app._credential_failure("s3", "s3:ListBucket", "", denied, headers)
    return iam_actions.access_denied_response(
        "s3",
        "s3:ListBucket",
        denied.principal_arn,
        "",
        headers=headers,
        resource_arn=resource,
        explicit_deny=denied.decision == "Deny",
        resource_policy_arn=denied.resource_policy_arn,
    )


def apply() -> None:
    """Ask for the permission to list before a missing object is reported."""
    app.SERVICE_HANDLERS["s3"] = handle
