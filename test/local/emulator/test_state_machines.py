import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ministack.services.cloudformation import provisioners, stacks
from repairs.state_machines import ENDPOINT_ENV, TYPE

ARN = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
PROPS = {
    "StateMachineName": "m",
    "RoleArn": "arn:aws:iam::000000000000:role/r",
    "DefinitionString": '{"f":"${F}"}',
}


@pytest.fixture
def service(monkeypatch):
    """A server that keeps what it was asked, and refuses what it is told to."""
    asked, refusal = [], {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append((self.headers["x-amz-target"].split(".")[1], body))
            answer = refusal or {"stateMachineArn": ARN, "creationDate": 1, "updateDate": 1}
            blob = json.dumps(answer).encode()
            self.send_response(400 if refusal else 200)
            self.send_header("content-length", str(len(blob)))
            self.end_headers()
            self.wfile.write(blob)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(ENDPOINT_ENV, f"http://127.0.0.1:{server.server_port}")
    yield asked, refusal
    server.shutdown()
    server.server_close()


def handler(verb: str):
    return provisioners._RESOURCE_HANDLERS[TYPE][verb]


def test_create_sends_the_substituted_definition_and_gives_arn_and_name(service):
    asked, _ = service
    logging = {
        "Level": "ERROR",
        "IncludeExecutionData": "true",
        "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": "g"}}],
    }
    props = {**PROPS, "DefinitionSubstitutions": {"F": "fn"}, "LoggingConfiguration": logging}
    assert handler("create")("Machine", props, "stack") == (ARN, {"Arn": ARN, "Name": "m"})
    ((action, body),) = asked
    assert action == "CreateStateMachine"
    assert body == {
        "name": "m",
        "type": "STANDARD",
        "definition": '{"f":"fn"}',
        "roleArn": PROPS["RoleArn"],
        "loggingConfiguration": {
            "level": "ERROR",
            "includeExecutionData": True,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "g"}}],
        },
    }


def test_update_and_delete_go_to_the_service(service):
    asked, _ = service
    assert handler("update")(ARN, PROPS, PROPS, "stack") == (ARN, {"Arn": ARN, "Name": "m"})
    handler("delete")(ARN, PROPS)
    assert [action for action, _ in asked] == ["UpdateStateMachine", "DeleteStateMachine"]
    assert all(body["stateMachineArn"] == ARN for _, body in asked)


def test_a_refusal_fails_the_resource_with_the_services_words(service):
    service[1].update({"__type": "InvalidDefinition", "message": "no StartAt"})
    with pytest.raises(ValueError, match="InvalidDefinition: no StartAt"):
        handler("create")("Machine", PROPS, "stack")


def test_without_a_service_the_resource_fails_and_says_what_to_set(monkeypatch):
    monkeypatch.delenv(ENDPOINT_ENV, raising=False)
    with pytest.raises(ValueError, match=ENDPOINT_ENV):
        handler("create")("Machine", PROPS, "stack")


def test_the_handler_runs_beside_the_emulators_loop():
    assert stacks._runs_on_worker_thread(TYPE)
    assert stacks._runs_on_worker_thread("Custom::X")
    assert not stacks._runs_on_worker_thread("AWS::S3::Bucket")
