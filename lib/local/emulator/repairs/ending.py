"""Nothing outlives the emulator, and the emulator does not outlive its parent.

MiniStack leaves the processes of its functions running when it shuts down. They are ended first here, so that no
invocation holds up the shutdown either. The parent's death shows as the end of the standard input, on every
system and also after a SIGKILL.
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

from . import saving

#: Seconds for an orderly shutdown after the parent died.
GRACE = 10.0

_stock_lifespan = app._handle_lifespan
Message = dict[str, Any]


async def lifespan(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Serve start and shutdown as stock does, with the functions' processes ended before the state is saved."""

    async def receive_and_end_functions() -> Message:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            saving.stop()
            await asyncio.to_thread(lambda_runtime.reset)
        return message

    await _stock_lifespan(scope, receive_and_end_functions, send)


def end_with_parent() -> None:
    """Block until the standard input ends, then shut down in order, or by force after ``GRACE`` seconds."""
    while sys.stdin.buffer.raw.read(1024):  # type: ignore[attr-defined]
        pass
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
