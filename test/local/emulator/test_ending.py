import asyncio
import os
import signal
import subprocess
import sys

import pytest
from conftest import REPO
from ministack import app
from ministack.services import lambda_svc
from repairs import ending, saving


@pytest.fixture
def restored(monkeypatch):
    monkeypatch.setattr(lambda_svc, "_execute_function_dispatch", lambda_svc._execute_function_dispatch)


def test_no_function_starts_again_after_the_shutdown(restored):
    ending.end_functions()
    func = {
        "config": {"FunctionName": "f", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f"}
    }
    result = lambda_svc._execute_function(func, {})
    assert result["error"] is True
    assert result["body"]["errorMessage"] == "The local cloud is shutting down"


def test_functions_end_before_the_emulator_shuts_down(monkeypatch):
    order = []

    async def original(scope, receive, send):
        order.append((await receive())["type"])

    async def receive():
        return {"type": "lifespan.shutdown"}

    monkeypatch.setattr(ending, "_original_lifespan", original)
    monkeypatch.setattr(ending, "end_functions", lambda: order.append("functions"))
    monkeypatch.setattr(saving, "stop", lambda: order.append("saving"))
    asyncio.run(app._handle_lifespan({}, receive, None))
    assert order == ["saving", "functions", "lifespan.shutdown"]


def test_closing_the_input_ends_the_process_with_sigterm():
    script = "import repairs.ending as e; print('ready', flush=True); e.end_with_parent()"
    env = {**os.environ, "PYTHONPATH": str(REPO / "lib/local/emulator")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], env=env, **pipes) as child:
        while child.stdout.readline().strip() != b"ready":
            pass
        child.stdin.close()
        assert child.wait(10) == -signal.SIGTERM
