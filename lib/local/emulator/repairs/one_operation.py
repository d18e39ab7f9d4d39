"""Refuse a request that names two operations, or that the judge and the service read differently.

MiniStack judges the ``Action`` of the query before that of the body, and that before ``X-Amz-Target``; its
services run the body's, the target's or the path's. A request that names two would be judged as one and run
as the other. No SDK sends such a request.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from ministack import app
from ministack.core import iam_actions
from ministack.services import s3

from .authorization import denial

#: Services that take a form, whatever its Content-Type says.
FORMS = frozenset(
    (
        "sqs",
        *(name for name, protocol in iam_actions._SERVICE_PROTOCOL.items() if "rest" not in protocol),
    )
)
#: Services whose method and path are the operation; the others with such paths have no action that is known.
PATHS = frozenset(("s3", "lambda"))

_original_extract_iam_action = iam_actions.extract_iam_action
_original_additional_checks = iam_actions.s3_additional_checks


def conflict(
    service: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> str | None:
    """Return why a request is not clear about its operation and parameters, or None if it is."""
    target = headers.get("x-amz-target", "")
    form = _form(service, headers, body)
    named = [f"Action={value}" for value in query_params.get("Action", [])]
    named += [f"Action={value}" for name, value in form if name == "Action"]
    named += [f"X-Amz-Target: {one.strip()}" for one in target.split(",") if target]
    if iam_actions.SERVICE_TO_IAM_NAMESPACE.get(service) in PATHS:
        return f"its path names the operation, and so does {named[0]}" if named else None
    if "/operation/" in path:
        named.append(path)
    if len(named) > 1:
        return f"it names more than one operation: {', '.join(named)}"
    if service in FORMS:
        names = [name for name, values in query_params.items() for _ in values] + [name for name, _ in form]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            return f"it has more than one parameter {twice[0]}"
        if form and any(not name.lower().startswith("x-amz-") for name in query_params):
            return "it has parameters in its query and in its body"
    return None


def _form(service: str, headers: dict[str, str], body: bytes) -> list[tuple[str, str]]:
    """Return the parameters that the judge or the service reads from a body."""
    kind, target = headers.get("content-type", "").lower(), headers.get("x-amz-target", "")
    is_json = service in FORMS and (
        (service == "sqs" and target.startswith("AmazonSQS."))
        or (service in ("iam", "sts") and "amz-json" in kind and "." in target)
        or (service == "monitoring" and ("cbor" in kind or "json" in kind or target != ""))
    )
    if "x-www-form-urlencoded" not in kind and (is_json or service not in FORMS):
        return []
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def is_malformed_delete(body: bytes) -> bool:
    """Return True unless every entry of a batch delete has one key and at most one version."""
    try:
        root = fromstring(body)
    except (ParseError, ValueError, DefusedXmlException):
        return True
    if root.tag.rpartition("}")[2] != "Delete":
        return True
    namespace = root.tag.removesuffix("Delete")
    entries = [one for one in root.iter() if one.tag.rpartition("}")[2] == "Object"]
    if (
        not entries
        or namespace not in ("", f"{{{s3.S3_NS}}}")
        or entries != root.findall(f"{namespace}Object")
    ):
        return True
    for entry in entries:
        tags = [child.tag for child in entry]
        if any(not tag.startswith(namespace) or "}" in tag.removeprefix(namespace) for tag in tags):
            return True
        if tags.count(f"{namespace}Key") != 1 or tags.count(f"{namespace}VersionId") > 1:
            return True
        if not entry.findtext(f"{namespace}Key"):
            return True
    return False


def _first_version(method: str, path: str, body: bytes, query_params: dict[str, Any]) -> tuple[str, str]:
    """Return the ARN and the version of a batch delete's first entry; empty if there is none."""
    parts = [part for part in path.split("/") if part]
    if method != "POST" or len(parts) != 1 or "delete" not in query_params:
        return "", ""
    targets = iam_actions._s3_batch_delete_targets(parts[0], body)
    return targets[0] if targets else ("", "")


def extract_iam_action(
    service: str, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> str | None:
    """Return the action of a request. That of a batch delete depends on its first entry."""
    if service == "s3" and _first_version(method, path, body, query_params)[1]:
        return "s3:DeleteObjectVersion"
    action: str | None = _original_extract_iam_action(service, method, path, headers, body, query_params)
    return action


def s3_additional_checks(
    method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> list[tuple[str, str]]:
    """Return what else a request to S3 needs, with the first entry of a batch delete.

    A request with the bucket in the host is judged without `extract_iam_action`.
    """
    checks: list[tuple[str, str]] = _original_additional_checks(method, path, headers, body, query_params)
    arn, version = _first_version(method, path, body, query_params)
    return [("s3:DeleteObjectVersion", arn), *checks] if version else checks


def refuse(
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
    request_id: str,
) -> Any:
    """Return the refusal of a request that is not clear, or None."""
    service = app.detect_service(
        method, path, headers, app._routing_params(method, path, headers, body, query_params)
    )
    # A copy of the headers, because inflating removes the encoding from them.
    plain = body if service == "s3" else app._decompress_request_body(body, dict(headers))
    why = conflict(service, path, headers, plain, query_params)
    if why:
        return app._credential_failure(service, "", request_id, denial("a request", why), headers)
    is_batch = service == "s3" and method == "POST" and "delete" in query_params
    if is_batch and is_malformed_delete(body):
        return s3._error("MalformedXML", s3._MALFORMED_XML, 400)
    return None


def apply() -> None:
    """Check every request before it is judged. Apply after `authorization_endpoint`, which answers first."""
    serve = app._handle_post_body_shortcuts

    async def handle_post_body_shortcuts(
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, Any],
        request_id: str,
    ) -> Any:
        response = await serve(method, path, headers, body, query_params, request_id)
        return response or refuse(method, path, headers, body, query_params, request_id)

    app._handle_post_body_shortcuts = handle_post_body_shortcuts
    iam_actions.extract_iam_action = extract_iam_action
    iam_actions.s3_additional_checks = s3_additional_checks
