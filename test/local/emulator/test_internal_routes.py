import asyncio

import pytest
from ministack import app


def answer(method: str, path: str, body: bytes = b"") -> int:
    """Return the status of an unsigned request, sent as the server passes it to the emulator."""
    scope = {
        **{"type": "http", "method": method, "path": path, "raw_path": path.encode()},
        **{"query_string": b"", "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1)},
    }
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(app.app(scope, receive, send))
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_ministack/reset"),
        ("OPTIONS", "/_ministack/reset"),
        ("POST", "/_ministack/config"),
        ("GET", "/_ministack/ready"),
        ("GET", "/_ministack/sqs/messages"),
        ("GET", "/_ministack/ses/messages"),
        ("GET", "/_ministack/sns/sms-messages"),
        ("GET", "/_ministack/lambda-code/000000000000/us-east-1/function"),
        ("GET", "/_ministack/lambda-layers/layer/1/content"),
        ("GET", "/_ministack/cfn-response/token"),
        ("POST", "/_ministack/eks-auth/000000000000/cluster/name/0123456789abcdef"),
        ("GET", "/_localstack/health"),
        ("GET", "/_localstack/state"),
    ],
)
def test_an_internal_route_is_refused(monkeypatch, method, path):
    def wiped() -> None:
        raise AssertionError("everything would be deleted")

    monkeypatch.setattr(app, "_reset_all_state", wiped)
    assert answer(method, path) == 403


def test_the_start_sees_that_the_emulator_is_healthy():
    assert answer("GET", "/_ministack/health") == 200


def test_a_custom_resource_can_answer():
    assert answer("PUT", "/_ministack/cfn-response/unknown", b"{}") == 200
