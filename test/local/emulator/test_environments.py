import threading
import time
from collections.abc import Callable

import pytest
from ministack.core import lambda_runtime
from ministack.services import lambda_svc
from repairs import environments
from test_node_functions import function

#: Returns the milliseconds at which it began and ended.
TIMED = """export const handler = async (milliseconds) => {
  const began = Date.now();
  await new Promise((done) => setTimeout(done, milliseconds));
  return [began, Date.now()];
};"""


@pytest.fixture(autouse=True)
def _end_all_processes():
    yield
    lambda_runtime.reset()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def most_at_once(times: list[list[int]]) -> int:
    return max(sum(began <= at < ended for began, ended in times) for at, _ in times)


@pytest.fixture
def results(monkeypatch) -> list[dict]:
    """The results of all invocations, as they end."""
    collected: list[dict] = []
    original = lambda_svc._execute_function_dispatch

    def dispatch(*args):
        result = original(*args)
        collected.append(result)
        return result

    monkeypatch.setattr(lambda_svc, "_execute_function_dispatch", dispatch)
    return collected


def test_a_burst_of_events_waits_for_environments_and_none_is_lost_or_repeated(results):
    for _ in range(12):
        lambda_svc.invoke_async_with_retry(function(TIMED), 200)
    until(lambda: len(results) == 12)
    time.sleep(0.3)
    assert [result.get("error") for result in results] == [None] * 12
    assert most_at_once([result["body"] for result in results]) == 2
    assert sum(len(pool) for pool in lambda_runtime._workers.values()) == 2


def test_a_synchronous_invocation_does_not_wait_behind_events(results):
    for _ in range(6):
        lambda_svc.invoke_async_with_retry(function(TIMED), 1000)
    until(lambda: lambda_svc.executions_in_flight()[0] == 2)
    assert lambda_svc._execute_function(function(TIMED), 0)["body"]
    assert len(results) < 6
    until(lambda: len(results) == 6 + 1)


def test_synchronous_invocations_wait_for_each_other(results):
    calls = [
        threading.Thread(target=lambda_svc._execute_function, args=(function(TIMED), 200)) for _ in range(5)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert len(results) == 5
    assert most_at_once([result["body"] for result in results]) == 2


def test_the_idlest_environments_end_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(environments, "IDLE_ENVIRONMENTS", -1)  # Three environments in all.
    for name in ("first", "second", "third", "first", "fourth"):
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        lambda_svc._execute_function(function(TIMED, FunctionName=name, FunctionArn=arn), 0)
    alive = [
        key.split(":")[2]
        for key, pool in lambda_runtime._workers.items()
        for worker in pool
        if worker._proc.poll() is None
    ]
    assert sorted(alive) == ["first", "fourth", "third"]


def test_a_place_is_given_in_order_and_not_to_one_who_gave_up():
    places = environments.Places(1)
    assert places.enter(0)
    assert not places.enter(0.01)
    order: list[int] = []

    def wait(number: int) -> None:
        assert places.enter(10)
        order.append(number)
        places.leave()

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(3)]
    for index, thread in enumerate(threads):
        thread.start()
        until(lambda index=index: len(places._waiting) == index + 1)
    places.leave()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2]
    assert places.enter(0)
