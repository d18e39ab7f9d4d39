"""Run Node functions through the Lambda Runtime API, as on AWS.

MiniStack runs ``nodejs*`` functions in its own worker, which renames every error to
``Runtime.HandlerError``, so that Retry and Catch by error name never match, and replaces the AWS SDK by a
stub if the package has none. For ``provided.*`` runtimes it serves the real Runtime API, keeps the error
that the runtime reports, and kills processes at their timeout. This repair therefore uses that mechanism for
Node functions: every package gets a ``bootstrap`` that starts our small runtime (``lambda-runtime.ts``).

MiniStack considers an environment idle while its process exists, even if the process has just reported an
error that ends it. The next event would go to the ending process and fail, more often on a busy machine. Our
runtime therefore includes a flag in its error report, with which the environment is removed.
"""

from __future__ import annotations

import os
import shlex
import threading
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

NODE_ENV = "PROXYTUNE_NODE"
RUNTIME = Path(__file__).resolve().parent.parent / "lambda-runtime.ts"

_original_worker_class = lambda_runtime._worker_class_for
_original_execute = lambda_svc._execute_function_warm
_original_code_dir = lambda_svc._provided_runtime_code_dir
_one_at_a_time = threading.Lock()


class NodeWorker(lambda_runtime.ProvidedWorker):
    """An execution environment with our runtime."""

    def invoke(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run one invocation; remove an environment that ends with it before the result is returned."""
        result = super().invoke(*args, **kwargs)
        payload = result.get("error_payload")
        if isinstance(payload, dict) and payload.pop("environmentEnds", False):
            self._teardown()
        return result


def is_node(config: dict[str, Any]) -> bool:
    """Return True if a function's configuration has a Node runtime."""
    return str(config.get("Runtime", "")).startswith("nodejs")


def worker_class_for(config: dict[str, Any]) -> type:
    """Select the execution environment of a function: for Node that of custom runtimes."""
    return NodeWorker if is_node(config) else _original_worker_class(config)


def execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
    """Run one invocation, for Node functions through the Runtime API."""
    config = func.get("config") or func
    if not is_node(config):
        return _original_execute(func, event, request_id)
    if not func.get("code_zip"):
        # The original returns "Mock response - no code deployed" with status 200, which looks like success.
        message = (
            f"The function {config.get('FunctionName')} has no code. What to do: deploy the stack again."
        )
        return {"error": True, "body": {"errorType": "Runtime.InvalidEntrypoint", "errorMessage": message}}
    return lambda_svc._execute_function_provided_warm(func, event, request_id)


def code_dir_with_bootstrap(code_zip: bytes) -> str:
    """Unpack a package once and add the executable that starts a custom runtime."""
    # One at a time: another environment of the same function would find the folder without it.
    with _one_at_a_time:
        folder = _original_code_dir(code_zip)
        bootstrap = Path(folder) / "bootstrap"
        if not bootstrap.exists():
            node = shlex.quote(os.environ.get(NODE_ENV, "node"))
            # A process started while this file is open for writing inherits it; then nobody can run it.
            with lambda_svc._provided_code_lock:
                # `exec`, so that signals reach Node and not only the shell.
                bootstrap.write_text(
                    f"#!/bin/sh\nexec {node} --enable-source-maps {shlex.quote(str(RUNTIME))}\n"
                )
                bootstrap.chmod(0o755)
    return folder


def apply() -> None:
    """Run Node functions through MiniStack's Runtime API."""
    lambda_runtime._worker_class_for = worker_class_for
    lambda_svc._execute_function_warm = execute
    lambda_svc._provided_runtime_code_dir = code_dir_with_bootstrap
