"""Nothing outlives the emulator, and the emulator does not outlive its parent.

MiniStack leaves the processes of its functions running when it shuts down, and waits for invocations in
hand. Functions are ended first here, and none is started again. The parent asks for the end by closing the
standard input; its death closes it too, on every system and also after a SIGKILL, so that there is one way
to end.
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

#: Seconds for an orderly shutdown, after which it is forced.
GRACE = 10.0

_stock_lifespan = app._handle_lifespan
Message = dict[str, Any]


async def lifespan(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Serve start and shutdown as stock does, but end the functions before the state is saved."""

    async def receive_and_end_functions() -> Message:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            saving.stop()
            await asyncio.to_thread(end_functions)
        return message

    await _stock_lifespan(scope, receive_and_end_functions, send)


def refuse_invocation(*_: Any) -> dict[str, Any]:
    """Answer an invocation, such as the retry of one that was cut off, while the emulator ends."""
    return {
        "error": True,
        "body": {"errorType": "ServiceException", "errorMessage": "The local cloud is ending"},
    }


def end_functions() -> None:
    """End the processes of all functions, for good."""
    lambda_svc._execute_function_dispatch = refuse_invocation
    lambda_runtime.reset()


def end_with_parent() -> None:
    """Block until the standard input ends, then shut down in order, or by force after ``GRACE`` seconds."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    end_functions()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE)
    end_group()


def end_group() -> None:
    """Kill whatever is left of the emulator's process group, itself included, if it leads the group."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def apply() -> None:
    """End functions with the emulator; the launcher starts the watch on the parent."""
    app._handle_lifespan = lifespan
