"""A delivery of a service needs the same permission as on AWS; without it, it is lost or sent elsewhere."""

import json

import pytest
from authorization import trace
from ministack import app
from ministack.core import lambda_runtime
from ministack.services import cloudwatch, eventbridge, iam, lambda_svc, sns, sqs
from repairs import service_calls

ACCOUNT = "000000000000"
RULE = {
    "Name": "r",
    "Arn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/r",
    "EventBusName": "default",
}
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:undelivered"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/of-f"


@pytest.fixture(autouse=True)
def judged(monkeypatch, tmp_path):
    """Judge every call, and write what was judged to a file."""
    monkeypatch.setattr(app, "AUTH", True)
    monkeypatch.setattr(trace, "_path", tmp_path / "trace")
    monkeypatch.setattr(trace, "_written", set())
    return tmp_path / "trace"


def allow(service: str, action: str, condition: dict | None = None) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": "*"}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Statement": [statement]})


@pytest.fixture
def queue():
    attributes = {"Policy": allow("events.amazonaws.com", "sqs:SendMessage")}
    url = sqs._act_create_queue({"QueueName": "undelivered", "Attributes": attributes}, "")["QueueUrl"]
    yield sqs._queue_by_arn(QUEUE)
    sqs._act_delete_queue({"QueueUrl": url}, "")


@pytest.fixture
def function(monkeypatch):
    """A function with a role; its invocations and written logs are recorded instead of done."""
    config = {"FunctionName": "f", "FunctionArn": FUNCTION, "Role": ROLE, "Runtime": "nodejs24.x"}
    record = {"config": config, "policy": {"Statement": []}, "invoked": [], "logs": [], "failures": []}
    monkeypatch.setitem(lambda_svc._functions._data, (ACCOUNT, "us-east-1", "f"), record)
    monkeypatch.setattr(lambda_svc, "_get_func_record_for_ref", lambda arn: (record, config, "f"))
    monkeypatch.setattr(lambda_svc, "_execution_record_for_config", lambda func, config: func)
    monkeypatch.setattr(
        lambda_svc, "invoke_async_with_retry", lambda func, body: func["invoked"].append(body)
    )
    monkeypatch.setattr(
        service_calls, "_original_logs", lambda func, *output, **options: func["logs"].append(output)
    )
    monkeypatch.setattr(
        service_calls, "_original_failure", lambda target, *failure: record["failures"].append(target)
    )
    return record


def role(*statements: dict, trusts: str = "lambda.amazonaws.com") -> None:
    iam._roles["of-f"] = {
        "RoleName": "of-f",
        "AssumeRolePolicyDocument": allow(trusts, "sts:AssumeRole").replace(', "Resource": "*"', ""),
        "InlinePolicies": {"own": json.dumps({"Statement": list(statements)})},
        "AttachedPolicies": [],
    }


def deliver() -> None:
    event = {"EventId": "1", "Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": "default"}
    more = {"Time": 1, "Resources": [], "Account": ACCOUNT, "Region": "us-east-1"}
    target = {"Id": "x", "Arn": FUNCTION, "DeadLetterConfig": {"Arn": QUEUE}}
    eventbridge._invoke_target(target, {**event, **more}, RULE)


def test_a_rule_invokes_a_function_whose_policy_names_it(function, queue):
    condition = {"ArnLike": {"AWS:SourceArn": RULE["Arn"]}}
    function["policy"] = json.loads(allow("events.amazonaws.com", "lambda:InvokeFunction", condition))
    deliver()
    assert (len(function["invoked"]), queue["messages"]) == (1, [])


@pytest.mark.parametrize(
    "policy",
    [
        {"Statement": []},
        json.loads(allow("s3.amazonaws.com", "lambda:InvokeFunction")),
        json.loads(
            allow("events.amazonaws.com", "lambda:InvokeFunction", {"ArnLike": {"AWS:SourceArn": "other"}})
        ),
    ],
)
def test_an_event_for_a_function_that_does_not_let_the_rule_goes_to_the_queue(function, queue, policy):
    function["policy"] = policy
    deliver()
    assert function["invoked"] == []
    (message,) = queue["messages"]
    assert message["message_attributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"


def test_an_event_is_dropped_if_the_queue_does_not_let_the_rule(function, queue):
    queue["attributes"]["Policy"] = ""
    deliver()
    assert (function["invoked"], queue["messages"]) == ([], [])


@pytest.mark.parametrize(
    ("actions", "written"),
    [
        (["logs:CreateLogStream", "logs:PutLogEvents"], 1),
        (["logs:CreateLogStream"], 0),
        (["logs:PutLogEvents"], 0),
    ],
)
def test_a_function_writes_its_log_with_the_permissions_of_its_role(function, judged, actions, written):
    role({"Effect": "Allow", "Action": actions, "Resource": "*"})
    lambda_svc._emit_lambda_logs(function, "id", "text", False, 1)
    assert len(function["logs"]) == written
    calls = [json.loads(line) for line in judged.read_text().splitlines()]
    assert {call["action"]: call["decision"] for call in calls} == {
        action: "Allow" if action in actions else "ImplicitDeny"
        for action in ("logs:CreateLogStream", "logs:PutLogEvents")
    }
    assert {call["principal"]["role"] for call in calls} == {ROLE}


@pytest.mark.parametrize(("resource", "sent"), [(QUEUE, [QUEUE]), (f"{QUEUE}-other", [])])
def test_a_failed_event_is_sent_with_the_permissions_of_the_functions_role(function, resource, sent):
    role({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": resource})
    lambda_svc._route_async_failure(QUEUE, "f", {}, {})
    assert function["failures"] == sent


def test_a_function_has_keys_of_a_role_that_trusts_lambda(function):
    role()
    keys = lambda_runtime.execution_credentials(function["config"])
    assert keys["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    role(trusts="sagemaker.amazonaws.com")
    with pytest.raises(PermissionError, match="cannot be assumed by Lambda"):
        lambda_runtime.execution_credentials(function["config"])


@pytest.mark.parametrize(("service", "count"), [("cloudwatch.amazonaws.com", 1), ("s3.amazonaws.com", 0)])
def test_an_alarm_publishes_to_a_topic_that_lets_it(monkeypatch, service, count):
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms"
    policy = allow(service, "sns:Publish", {"StringEquals": {"aws:SourceAccount": ACCOUNT}})
    monkeypatch.setitem(
        sns._topics._data, (ACCOUNT, "us-east-1", topic), {"arn": topic, "attributes": {"Policy": policy}}
    )
    published = []
    monkeypatch.setattr(
        service_calls, "_original_fanout", lambda *message, **options: published.append(message)
    )
    alarm = {
        "AlarmName": "a",
        "AlarmArn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:a",
        "AlarmActions": [topic],
    }
    cloudwatch._dispatch_alarm_actions(alarm, "OK", "ALARM", "because")
    assert len(published) == count
