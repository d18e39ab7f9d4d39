import pytest
from emulator_requests import send
from ministack import app


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
    assert send(method, path)[0] == 403


def test_the_start_sees_that_the_emulator_is_healthy():
    assert send("GET", "/_ministack/health")[0] == 200


def test_a_custom_resource_can_answer():
    assert send("PUT", "/_ministack/cfn-response/unknown", body=b"{}")[0] == 200
