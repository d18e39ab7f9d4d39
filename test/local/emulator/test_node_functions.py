import io
import os
import zipfile
from pathlib import Path

import pytest
from ministack.core import lambda_runtime
from ministack.services import lambda_svc
from repairs import node_functions


def packed(source: str) -> bytes:
    blob = io.BytesIO()
    with zipfile.ZipFile(blob, "w") as archive:
        archive.writestr("index.mjs", source)
    return blob.getvalue()


def function(source: str, **config) -> dict:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
    facts = {
        "FunctionName": "f",
        "FunctionArn": arn,
        "Runtime": "nodejs22.x",
        "Handler": "index.handler",
        "Timeout": 10,
    }
    return {"config": {**facts, **config}, "code_zip": packed(source)}


@pytest.fixture(autouse=True)
def _end_all_processes():
    yield
    lambda_runtime.reset()


def run(source: str, event=None, **config) -> dict:
    return lambda_svc._execute_function(function(source, **config), event)


def test_a_result_of_any_json_type_is_returned():
    assert run("export const handler = async (event) => event", [1, "é"])["body"] == [1, "é"]
    lambda_runtime.reset()
    assert run("export const handler = () => undefined")["body"] is None


@pytest.mark.parametrize(
    ("thrown", "name", "message"),
    [
        ("Object.assign(new Error('m'), { name: 'PhotosRejected' })", "PhotosRejected", "m"),
        ("new TypeError('t')", "TypeError", "t"),
        ("'words'", "string", "words"),
    ],
)
def test_an_error_keeps_its_name(thrown, name, message):
    result = run(f"export const handler = async () => {{ throw {thrown}; }}")
    assert result["error"] is True
    assert (result["body"]["errorType"], result["body"]["errorMessage"]) == (name, message)


def test_a_module_that_does_not_load_fails_with_its_own_error():
    assert run("null.x; export const handler = 1")["body"]["errorType"] == "TypeError"
    lambda_runtime.reset()
    assert run("export const other = 1")["body"]["errorType"] == "Runtime.HandlerNotFound"
    lambda_runtime.reset()
    assert run("export {}", Handler="absent.handler")["body"]["errorType"] == "Runtime.ImportModuleError"


def test_a_timeout_kills_even_a_busy_loop():
    result = run("export const handler = () => { for (;;); }", Timeout=1)
    assert result["body"] == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "Task timed out after 1.00 seconds",
    }


def test_the_environment_survives_a_handler_error_and_keeps_its_state():
    counting = "n += 1; if (e === 1) throw new Error('x'); return n;"
    source = f"let n = 0; export const handler = async (e) => {{ {counting} }}"
    record = function(source)
    assert [lambda_svc._execute_function(record, event)["body"] for event in (0, 0)] == [1, 2]
    assert lambda_svc._execute_function(record, 1)["error"] is True
    assert lambda_svc._execute_function(record, 0)["body"] == 4


def test_a_function_without_code_fails_and_other_runtimes_are_unchanged():
    result = node_functions.execute({"config": {"Runtime": "nodejs22.x", "FunctionName": "f"}}, {}, "id")
    assert result["body"]["errorType"] == "Runtime.InvalidEntrypoint"
    assert lambda_runtime._worker_class_for({"Runtime": "python3.13"}) is lambda_runtime.Worker
    assert lambda_runtime._worker_class_for({"Runtime": "nodejs22.x"}) is node_functions.NodeWorker


def test_a_package_with_its_own_bootstrap_keeps_it():
    blob = io.BytesIO()
    with zipfile.ZipFile(blob, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\n# its own\n")
    path = Path(lambda_svc._provided_runtime_code_dir(blob.getvalue())) / "bootstrap"
    assert "its own" in path.read_text()
    assert os.access(path, os.X_OK)


@pytest.mark.parametrize(
    "ended", ["Promise.reject(new Error('r'))", "setTimeout(() => { throw new Error('r'); })"]
)
def test_an_environment_that_ends_slowly_gets_no_further_event(ended):
    source = f"""
        process.on("exit", () => {{ const until = Date.now() + 700; while (Date.now() < until); }});
        export const handler = async ({{ end }}) => {{
          if (!end) return "fresh";
          {ended};
          await new Promise((resolve) => setTimeout(resolve, 5000));
        }};"""
    made = function(source)
    ended = lambda_svc._execute_function(made, {"end": True})
    assert "r" in ended["body"]["errorMessage"]
    assert "environmentEnds" not in ended["body"]
    assert lambda_svc._execute_function(made, {"end": False})["body"] == "fresh"
