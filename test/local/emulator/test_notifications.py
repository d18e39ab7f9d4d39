"""SNS through its own protocol: requests in, answers out."""

import asyncio
import re
import uuid
from urllib.parse import urlencode

import pytest
from ministack.services import sns

ADDRESS = {"Protocol": "email", "Endpoint": "owner@example.com"}
OTHERS = "Attributes Reason: Subscription already exists with different attributes"


def call(action, **params):
    body = urlencode({"Action": action, **params}).encode()
    status, _, answer = asyncio.run(sns.handle_request("POST", "/", {}, body, {}))
    return status, answer.decode()


def found(tag, answer):
    return re.search(f"<{tag}>(.*?)</{tag}>", answer)[1]


@pytest.fixture
def topic():
    return found("TopicArn", call("CreateTopic", Name=f"notices-{uuid.uuid4().hex}")[1])


def subscribe(topic, **attributes):
    entries = enumerate(attributes.items(), 1)
    named = {
        f"Attributes.entry.{at}.{part}": text
        for at, pair in entries
        for part, text in zip(("key", "value"), pair, strict=True)
    }
    return call("Subscribe", TopicArn=topic, **ADDRESS, **named)


POLICY = '{"notify":["owner@example.com"]}'


def test_the_same_attributes_return_the_same_subscription(topic):
    first = subscribe(topic, FilterPolicy=POLICY)
    again = subscribe(topic, FilterPolicy=POLICY)
    assert (first[0], again[0]) == (200, 200)
    assert found("SubscriptionArn", first[1]) == found("SubscriptionArn", again[1])


def test_a_subscription_without_attributes_returns_the_existing_one(topic):
    first = subscribe(topic, FilterPolicy=POLICY)
    assert found("SubscriptionArn", subscribe(topic)[1]) == found("SubscriptionArn", first[1])


@pytest.mark.parametrize("existing", [{}, {"FilterPolicy": '{"notify":["other@example.com"]}'}])
def test_other_attributes_are_refused_and_change_nothing(topic, existing):
    arn = found("SubscriptionArn", subscribe(topic, **existing)[1])
    status, answer = subscribe(topic, FilterPolicy=POLICY)
    assert (status, found("Code", answer)) == (400, "InvalidParameter")
    assert found("Message", answer) == f"Invalid parameter: {OTHERS}"
    attributes = call("GetSubscriptionAttributes", SubscriptionArn=arn)[1]
    assert "owner@example.com&quot;" not in attributes


def test_another_endpoint_is_another_subscription(topic):
    subscribe(topic)
    status, answer = call(
        "Subscribe",
        TopicArn=topic,
        Protocol="email",
        Endpoint="other@example.com",
        **{
            "Attributes.entry.1.key": "FilterPolicy",
            "Attributes.entry.1.value": POLICY,
        },
    )
    assert status == 200, answer


@pytest.mark.parametrize(
    "subject",
    ["Proxytune: Fido is ready", "9 lives", "¿listo?", "Ünal", "a" * 99, "x 😀"],
)
def test_a_subject_of_text_is_published(topic, subject):
    assert call("Publish", TopicArn=topic, Message="m", Subject=subject)[0] == 200


@pytest.mark.parametrize(
    "subject",
    [
        "a\nb",
        "a\rb",
        "a\tb",
        "a\x00b",
        "a\x85b",
        "a\u2028b",
        "a" * 100,
        " a",
        "😀 x",
        "\u202ea",
    ],
)
def test_a_subject_that_mail_cannot_have_is_refused(topic, subject):
    status, answer = call("Publish", TopicArn=topic, Message="m", Subject=subject)
    assert (status, found("Code", answer)) == (400, "InvalidParameter")
    assert found("Message", answer) == "Invalid parameter: Subject"


def test_a_message_without_a_subject_is_published(topic):
    assert call("Publish", TopicArn=topic, Message="m")[0] == 200


def test_a_batch_has_the_same_limits(topic):
    entry = "PublishBatchRequestEntries.member.1"
    sent = {f"{entry}.Id": "1", f"{entry}.Message": "m"}
    assert call("PublishBatch", TopicArn=topic, **sent, **{f"{entry}.Subject": "fine"})[0] == 200
    assert call("PublishBatch", TopicArn=topic, **sent, **{f"{entry}.Subject": "a\nb"})[0] == 400
