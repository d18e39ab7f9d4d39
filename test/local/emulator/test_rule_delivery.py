import json

import pytest
from ministack.services import eventbridge, lambda_svc, sqs
from repairs import rule_delivery

QUEUE = "arn:aws:sqs:us-east-1:000000000000:undelivered"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:gone"
RULE = {"Name": "r", "Arn": "arn:aws:events:us-east-1:000000000000:rule/r", "EventBusName": "default"}


def event() -> dict:
    facts = {"EventId": "1", "Source": "s", "DetailType": "t", "Detail": '{"a":1}', "EventBusName": "default"}
    return {**facts, "Time": 1, "Resources": [], "Account": "000000000000", "Region": "us-east-1"}


@pytest.fixture
def queue():
    url = sqs._act_create_queue({"QueueName": "undelivered"}, "")["QueueUrl"]
    yield sqs._queue_by_arn(QUEUE)
    sqs._act_delete_queue({"QueueUrl": url}, "")


def test_an_event_for_a_missing_function_reaches_the_dead_letter_queue_with_its_reason(queue):
    target = {"Id": "x", "Arn": FUNCTION, "DeadLetterConfig": {"Arn": QUEUE}}
    eventbridge._invoke_target(target, event(), RULE)
    (message,) = queue["messages"]
    assert json.loads(message["body"])["detail"] == {"a": 1}
    values = {key: value["StringValue"] for key, value in message["message_attributes"].items()}
    assert values == {
        "ERROR_CODE": "NO_RESOURCE",
        "ERROR_MESSAGE": "The function gone does not exist",
        "RULE_ARN": RULE["Arn"],
        "TARGET_ARN": FUNCTION,
    }


def test_without_a_dead_letter_queue_the_event_is_dropped_as_on_aws(queue):
    eventbridge._invoke_target({"Id": "x", "Arn": FUNCTION}, event(), RULE)
    assert queue["messages"] == []


def test_a_function_is_invoked_asynchronously_with_the_events_own_json(monkeypatch):
    record = {"config": {"FunctionName": "f"}}
    invoked = []
    monkeypatch.setattr(lambda_svc, "_get_func_record_for_ref", lambda arn: (record, record["config"], "f"))
    monkeypatch.setattr(
        lambda_svc, "invoke_async_with_retry", lambda func, body: invoked.append((func, body))
    )
    rule_delivery.dispatch_to_lambda("arn", '{"a": [1]}')
    assert invoked == [(record, {"a": [1]})]
