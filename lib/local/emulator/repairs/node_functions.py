"""Node functions speak the Lambda Runtime API, as they do on AWS.

MiniStack runs ``nodejs*`` functions through a worker of its own that renames every error to
``Runtime.HandlerError``, so that Retry and Catch by error name never match, and that replaces the AWS SDK
by a stand-in when the package has none. For ``provided.*`` runtimes it serves the real Runtime API, keeps
the error that the runtime reports, and kills what overruns its timeout. This repair therefore gives Node
functions the second road: every package gets a ``bootstrap`` that starts our small runtime (``lambda-
runtime.ts``).

MiniStack takes an environment whose process is still there for a free one, also when that process has just
told of an error that ends it. The next event then went to a process that was ending, and failed: the more
often, the busier the machine. Our runtime says so in its report, and the environment goes with it.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

NODE_ENV = "PROXYTUNE_NODE"
RUNTIME = Path(__file__).resolve().parent.parent / "lambda-runtime.ts"

_stock_worker_class = lambda_runtime._worker_class_for
_stock_execute = lambda_svc._execute_function_warm
_stock_code_dir = lambda_svc._provided_runtime_code_dir


class NodeWorker(lambda_runtime.ProvidedWorker):
    """An execution environment of our runtime."""

    def invoke(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run one invocation; an environment that ends with it is gone before anyone hears its answer."""
        answer = super().invoke(*args, **kwargs)
        payload = answer.get("error_payload")
        if isinstance(payload, dict) and payload.pop("environmentEnds", False):
            self._teardown()
        return answer


def is_node(config: dict[str, Any]) -> bool:
    """Whether a function's configuration names a Node runtime."""
    return str(config.get("Runtime", "")).startswith("nodejs")


def worker_class_for(config: dict[str, Any]) -> type:
    """The execution environment of a function: that of custom runtimes for Node too."""
    return NodeWorker if is_node(config) else _stock_worker_class(config)


def execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
    """Run one invocation, Node functions by way of the Runtime API."""
    config = func.get("config") or func
    if not is_node(config):
        return _stock_execute(func, event, request_id)
    if not func.get("code_zip"):
        # Stock answers "Mock response - no code deployed" with status 200, which reads as success.
        message = (
            f"The function {config.get('FunctionName')} has no code. What to do: deploy the stack again."
        )
        return {"error": True, "body": {"errorType": "Runtime.InvalidEntrypoint", "errorMessage": message}}
    return lambda_svc._execute_function_provided_warm(func, event, request_id)


def code_dir_with_bootstrap(code_zip: bytes) -> str:
    """Unpack a package once and give it the executable that a custom runtime starts from."""
    folder = _stock_code_dir(code_zip)
    bootstrap = Path(folder) / "bootstrap"
    if not bootstrap.exists():
        node = shlex.quote(os.environ.get(NODE_ENV, "node"))
        # `exec`, so that the signal which ends an environment reaches Node and not only the shell.
        bootstrap.write_text(f"#!/bin/sh\nexec {node} --enable-source-maps {shlex.quote(str(RUNTIME))}\n")
        bootstrap.chmod(0o755)
    return folder


def apply() -> None:
    """Send Node functions through MiniStack's Runtime API."""
    lambda_runtime._worker_class_for = worker_class_for
    lambda_svc._execute_function_warm = execute
    lambda_svc._provided_runtime_code_dir = code_dir_with_bootstrap
