"""Bound the execution environments of functions; invocations beyond that wait in order.

MiniStack starts an environment for every concurrent invocation, half the memory's worth of them, and
answers the rest with ``TooManyRequestsException``. An event that was refused loses one of its few
attempts, and a hundred uploads at once start two hundred processes. On AWS an asynchronous event that
finds no environment stays in the queue for up to six hours.

Here each kind of invocation has places of its own: synchronous ones, of which our Step Functions service
sends no more than there are places, never wait behind a queue of events. Environments that a burst
leaves idle are ended when others need their memory.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections import deque
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

#: The number of places of each kind, from lib/local/lambda-places.ts.
PLACES_ENV = "PROXYTUNE_LAMBDA_PLACES"
#: Idle environments that are kept in addition to those in use, so that the functions of one run remain warm.
IDLE_ENVIRONMENTS = 4
#: Longest wait in seconds: the longest that a function may run, and the maximum age of an event.
SYNCHRONOUS_WAIT = 900.0
ASYNCHRONOUS_WAIT = 21_600.0

_original_acquire_slot = lambda_svc._acquire_execution_slot
_original_release_slot = lambda_svc._release_execution_slot
_original_invoke_async = lambda_svc.invoke_async_with_retry
_original_acquire_worker = lambda_svc.acquire_worker

_asynchronous: contextvars.ContextVar[bool] = contextvars.ContextVar("invoked asynchronously", default=False)


class Places:
    """A number of places, which are given out first come, first served."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def enter(self, seconds: float) -> bool:
        """Wait for a place. Returns False if there was none within the time."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(seconds):
            return True
        with self._lock:
            # The place may have been given just after the time had passed.
            if turn.is_set():
                return True
            self._waiting.remove(turn)
            return False

    def leave(self) -> None:
        """Give the place to the one who has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1


_count = int(os.environ.get(PLACES_ENV, "2"))
_synchronous_places = Places(_count)
_asynchronous_places = Places(_count)


def _places() -> Places:
    return _asynchronous_places if _asynchronous.get() else _synchronous_places


def acquire_slot(func: dict[str, Any], config: dict[str, Any]) -> tuple[str | None, str | None]:
    """Wait for a place, then count the invocation like the original."""
    if not _places().enter(ASYNCHRONOUS_WAIT if _asynchronous.get() else SYNCHRONOUS_WAIT):
        return None, "account"
    key, limit = _original_acquire_slot(func, config)
    if key is None:
        _places().leave()
    return key, limit


def release_slot(key: str | None) -> None:
    """Release what ``acquire_slot`` counted, in the same context."""
    if key is None:
        return
    _original_release_slot(key)
    _places().leave()


def invoke_async_with_retry(func: dict[str, Any], event: Any) -> None:
    """Invoke like the original, whose thread copies this context."""
    token = _asynchronous.set(True)
    try:
        _original_invoke_async(func, event)
    finally:
        _asynchronous.reset(token)


def acquire_worker(*args: Any, **kwargs: Any) -> tuple[Any, str]:
    """Lease an environment; for a new one, end those that have been idle longest if there are too many."""
    worker, reason = _original_acquire_worker(*args, **kwargs)
    if reason == "spawn":
        lambda_runtime.kill_workers(_remove_idle(2 * _count + IDLE_ENVIRONMENTS))
    return worker, reason


def _remove_idle(most: int) -> list[Any]:
    """Remove idle environments from their pools until ``most`` are left. Returns the removed ones."""
    with lambda_runtime._lock:
        pools = lambda_runtime._workers
        everyone = [(key, worker) for key, pool in pools.items() for worker in pool]
        idle = sorted(
            (entry for entry in everyone if not entry[1].in_use), key=lambda entry: entry[1].last_used
        )
        removed = idle[: max(0, len(everyone) - most)]
        for key, worker in removed:
            pools[key].remove(worker)
    return [worker for _, worker in removed]


def apply() -> None:
    """Let invocations wait for a place, and limit the environments."""
    # Our places are the limit; the original's would refuse instead.
    lambda_svc._ACCOUNT_CONCURRENCY_CAP = 0
    lambda_svc._acquire_execution_slot = acquire_slot
    lambda_svc._release_execution_slot = release_slot
    lambda_svc.invoke_async_with_retry = invoke_async_with_retry
    lambda_svc.acquire_worker = acquire_worker
