"""End all functions with the emulator, and the emulator with its parent.

MiniStack leaves the processes of its functions running when it shuts down, and waits for active
invocations. This repair ends functions first and starts none again. The parent ends the emulator by closing
the standard input; the death of the parent closes it too, on every system and after a SIGKILL, so one
mechanism is enough.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app
from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from . import saving

#: Seconds for a clean shutdown, after which it is forced.
GRACE = 10.0

_original_lifespan = app._handle_lifespan
Message = dict[str, Any]


async def lifespan(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Handle start and shutdown like the original, but end the functions before the state is saved."""

    async def receive_and_end_functions() -> Message:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            saving.stop()
            await asyncio.to_thread(end_functions)
        return message

    await _original_lifespan(scope, receive_and_end_functions, send)


def reject_invocation(*_: Any) -> dict[str, Any]:
    """Reject an invocation, such as a retry, while the emulator shuts down."""
    return {
        "error": True,
        "body": {"errorType": "ServiceException", "errorMessage": "The local cloud is shutting down"},
    }


def end_functions() -> None:
    """End the processes of all functions and start none again."""
    lambda_svc._execute_function_dispatch = reject_invocation
    lambda_runtime.reset()


def end_with_parent() -> None:
    """Wait until the standard input is closed, then shut down, by force after ``GRACE`` seconds."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    end_functions()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE)
    end_group()


def end_group() -> None:
    """Kill the rest of the emulator's process group, including itself, if it leads the group."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def apply() -> None:
    """End functions with the emulator; the launcher starts watching the parent."""
    app._handle_lifespan = lifespan
