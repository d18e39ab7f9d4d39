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
    """A server that records its requests, and returns an error if one is set."""
    requests, error = [], {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            requests.append((self.headers["x-amz-target"].split(".")[1], body))
            response = error or {"stateMachineArn": ARN, "creationDate": 1, "updateDate": 1}
            blob = json.dumps(response).encode()
            self.send_response(400 if error else 200)
            self.send_header("content-length", str(len(blob)))
            self.end_headers()
            self.wfile.write(blob)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(ENDPOINT_ENV, f"http://127.0.0.1:{server.server_port}")
    yield requests, error
    server.shutdown()
    server.server_close()


def handler(verb: str):
    return provisioners._RESOURCE_HANDLERS[TYPE][verb]


def test_create_sends_the_substituted_definition_and_returns_arn_and_name(service):
    requests, _ = service
    logging = {
        "Level": "ERROR",
        "IncludeExecutionData": "true",
        "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": "g"}}],
    }
    props = {**PROPS, "DefinitionSubstitutions": {"F": "fn"}, "LoggingConfiguration": logging}
    assert handler("create")("Machine", props, "stack") == (ARN, {"Arn": ARN, "Name": "m"})
    ((action, body),) = requests
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
    requests, _ = service
    assert handler("update")(ARN, PROPS, PROPS, "stack") == (ARN, {"Arn": ARN, "Name": "m"})
    handler("delete")(ARN, PROPS)
    assert [action for action, _ in requests] == ["UpdateStateMachine", "DeleteStateMachine"]
    assert all(body["stateMachineArn"] == ARN for _, body in requests)


def test_an_error_fails_the_resource_with_the_message_of_the_service(service):
    service[1].update({"__type": "InvalidDefinition", "message": "no StartAt"})
    with pytest.raises(ValueError, match="InvalidDefinition: no StartAt"):
        handler("create")("Machine", PROPS, "stack")


def test_without_a_service_the_resource_fails_and_names_the_setting(monkeypatch):
    monkeypatch.delenv(ENDPOINT_ENV, raising=False)
    with pytest.raises(ValueError, match=ENDPOINT_ENV):
        handler("create")("Machine", PROPS, "stack")


def test_the_handler_runs_outside_the_emulators_loop():
    assert stacks._runs_on_worker_thread(TYPE)
    assert stacks._runs_on_worker_thread("Custom::X")
    assert not stacks._runs_on_worker_thread("AWS::S3::Bucket")
