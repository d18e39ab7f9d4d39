"""The trace of authorization: one JSON object per judged call, in the form of ``lib/local/iam/trace.ts``."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator

from .strictness import resolve_condition_key, role_arn

TRACE_ENV = "PROXYTUNE_TRACE"

#: Keys that the evaluator fills itself, without those whose values differ on each start.
_OF_EVERY_CALL = ("aws:requestedregion", "aws:securetransport")
_OF_ROLES = (
    *_OF_EVERY_CALL,
    *("aws:principalaccount", "aws:principalarn", "aws:principaltype", "aws:resourceaccount"),
)

_written: set[str] = set()
_lock = threading.Lock()
_path: Path | None = None


def configure() -> None:
    """Read where the trace goes. The variable is removed from the environment, which functions get."""
    global _path
    path = os.environ.pop(TRACE_ENV, "")
    _path = Path(path) if path else None


def record(
    ctx: iam_evaluator.EvalContext,
    decision: str,
    judged_by: str,
    service: str | None = None,
) -> None:
    """Append a call to the trace, unless there is none or the call is already in it."""
    if _path is None:
        return
    line = json.dumps(_call(ctx, decision, judged_by, service), sort_keys=True)
    with _lock:
        if line in _written:
            return
        _written.add(line)
        with _path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _call(
    ctx: iam_evaluator.EvalContext, decision: str, judged_by: str, service: str | None
) -> Mapping[str, Any]:
    filled = _OF_ROLES if service is None else _OF_EVERY_CALL
    context = {**ctx.service_context, **{key: resolve_condition_key(key, ctx) for key in filled}}
    return {
        "principal": {"role": role_arn(ctx.principal_arn)} if service is None else {"service": service},
        "action": ctx.action,
        "resource": ctx.resource_arn,
        "context": {key: _text(value) for key, value in context.items() if value is not None},
        "judgedBy": judged_by,
        "decision": decision,
    }


def _text(value: Any) -> str | list[str]:
    return [str(one) for one in value] if isinstance(value, list) else str(value)
